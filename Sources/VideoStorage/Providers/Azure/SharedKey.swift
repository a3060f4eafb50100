import Crypto
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Azure Storage's Shared Key for blobs, as "Authorize with Shared Key" of the REST reference has it for versions from 2015-02-21 on.
struct SharedKey: Sendable {
    /// The fields whose values have a line each, in this order; `Date` stays empty, because `x-ms-date` is sent.
    private static let signedFields = [
        "Content-Encoding", "Content-Language", "Content-Length", "Content-MD5", "Content-Type", "Date",
        "If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range",
    ]

    /// The storage account.
    let account: String
    private let key: SymmetricKey

    /// Takes an account's key as the portal shows it; `nil` when it is not Base64.
    init?(account: String, key: String) {
        guard let bytes = Data(base64Encoded: key), !bytes.isEmpty else { return nil }
        self.account = account
        self.key = SymmetricKey(data: bytes)
    }

    /// What is signed.
    ///
    /// - Parameters:
    ///   - method: The method.
    ///   - path: The path as it stands in the request line.
    ///   - query: The query, not encoded.
    ///   - headers: All fields that are sent; `Content-Length` too, unless it is 0.
    /// - Returns: The text.
    func textToSign(method: HTTPMethod, path: String, query: [HTTPQueryItem], headers: HTTPHeaders) -> String {
        let lines = [method.rawValue] + Self.signedFields.map { headers.first(name: $0) ?? "" }
        let own = headers.map { (name: $0.name.lowercased(), value: $0.value) }.filter { $0.name.hasPrefix("x-ms-") }
            .sorted { $0.name < $1.name }.map { "\($0.name):\($0.value)\n" }
        let resource = query.map { (name: $0.name.lowercased(), value: $0.value) }
            .sorted { ($0.name, $0.value) < ($1.name, $1.value) }.map { "\n\($0.name):\($0.value)" }
        return lines.joined(separator: "\n") + "\n" + own.joined() + "/\(account)\(path)" + resource.joined()
    }

    /// The value of `Authorization` for a text.
    func authorization(for text: String) -> String {
        let code = HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key)
        return "SharedKey \(account):\(Data(code).base64EncodedString())"
    }
}
