import Domain
import HTTPTypes

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a client says its body's SHA-256 is: `Content-Digest: sha-256=:<base64>:` (RFC 9530), or `x-checksum-sha256` with
/// 64 hexadecimal digits or base64.
struct ContentDigest: Sendable, Equatable {
    /// The 32 bytes.
    let bytes: [UInt8]

    /// Reads the digest of a request; `nil` when it has none, or only of algorithms that are not known here.
    ///
    /// - Throws: `invalidArgument` when one is malformed, or two differ: a digest that is not compared protects nothing.
    static func of(_ fields: HTTPFields) throws(ServiceError) -> ContentDigest? {
        var (standard, plain): (ContentDigest?, ContentDigest?) = (nil, nil)
        if let value = fields[.digest] { standard = try Self.standard(value) }
        if let value = fields[.checksum] { plain = try Self.plain(value) }
        guard let standard, let plain else { return standard ?? plain }
        guard standard == plain else {
            throw ServiceError(.invalidArgument, "Content-Digest and x-checksum-sha256 name two digests; send one.")
        }
        return standard
    }

    /// A dictionary of RFC 8941: members between commas, of which only `sha-256` is read.
    private static func standard(_ value: String) throws(ServiceError) -> ContentDigest? {
        var found: ContentDigest?
        for member in value.split(separator: ",") {
            let member = member.drop { $0 == " " || $0 == "\t" }
            let parts = member.split(separator: "=", maxSplits: 1)
            guard parts.first?.lowercased() == "sha-256" else { continue }
            var text = parts.count == 2 ? parts[1] : ""
            while text.last == " " || text.last == "\t" { text.removeLast() }
            guard text.count > 2, text.first == ":", text.last == ":",
                let digest = ContentDigest(base64: text.dropFirst().dropLast())
            else {
                throw ServiceError(
                    .invalidArgument, "Content-Digest is malformed: write it like sha-256=:<32 bytes as base64>:")
            }
            // Of a member that comes twice, the last one counts (RFC 8941 section 3.2).
            found = digest
        }
        return found
    }

    private static func plain(_ value: String) throws(ServiceError) -> ContentDigest {
        let text = value.prefix { $0 != " " && $0 != "\t" }
        guard let digest = ContentDigest(hexadecimal: text) ?? ContentDigest(base64: text) else {
            throw ServiceError(
                .invalidArgument, "x-checksum-sha256 is malformed: write 64 hexadecimal digits, or 32 bytes as base64.")
        }
        return digest
    }

    /// A digest that was computed.
    init(_ bytes: some Sequence<UInt8>) {
        self.bytes = Array(bytes)
    }

    private init?(base64 text: Substring) {
        guard let data = Data(base64Encoded: String(text)), data.count == 32 else { return nil }
        bytes = Array(data)
    }

    private init?(hexadecimal text: Substring) {
        let digits = text.utf8.map { digit -> UInt8? in
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
            default: nil
            }
        }
        let known = digits.compactMap(\.self)
        guard known.count == 64, digits.count == 64 else { return nil }
        bytes = stride(from: 0, to: 64, by: 2).map { known[$0] << 4 | known[$0 + 1] }
    }

    /// As the catalogue keeps it: `sha256:` and 64 lower-case hexadecimal digits.
    var checksum: String {
        let digits = Array("0123456789abcdef".utf8)
        let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return "sha256:" + String(decoding: text, as: UTF8.self)
    }
}

extension HTTPField.Name {
    /// RFC 9530; HTTPTypes does not list it. The fallback is never taken: the text is a token.
    fileprivate static let digest = HTTPField.Name("Content-Digest") ?? .contentType
    /// What many tools send. The fallback is never taken either.
    fileprivate static let checksum = HTTPField.Name("x-checksum-sha256") ?? .contentType
}
