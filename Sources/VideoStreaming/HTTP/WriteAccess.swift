import Crypto
import Domain
import HTTPTypes

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Decides who may write: whoever knows the token (RFC 6750, `Authorization: Bearer <token>`).
struct WriteAccess: Sendable {
    /// The shortest token that is taken: 16 characters chosen at random cannot be guessed over a network.
    static let minTokenBytes = 16

    /// Digests are compared, which always takes the same time: a comparison of texts would tell how many characters were
    /// right.
    private let digest: SHA256.Digest?

    /// Access for whoever knows this token; for nobody when there is none.
    init(token: String?) {
        digest = token.map { SHA256.hash(data: Data($0.utf8)) }
    }

    /// Whether a text can be a token: visible ASCII, long enough.
    static func isToken(_ text: String) -> Bool {
        text.utf8.count >= minTokenBytes && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    /// Lets a request pass that carries the token.
    ///
    /// - Throws: `permissionDenied` when nobody may write here, `unauthenticated` otherwise.
    func check(_ fields: HTTPFields) throws(ServiceError) {
        guard let digest else {
            throw ServiceError(
                .permissionDenied,
                "This gateway takes no changes. Start it with WRITE_TOKEN, and send the token as Authorization: Bearer."
            )
        }
        let parts = (fields[.authorization] ?? "").split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else {
            throw ServiceError(.unauthenticated, "Changes need a token: send Authorization: Bearer and WRITE_TOKEN.")
        }
        let given = parts[1].drop { $0 == " " }
        guard SHA256.hash(data: Data(given.utf8)) == digest else {
            throw ServiceError(.unauthenticated, "The token is not the one that this gateway was started with.")
        }
    }
}
