import Crypto
import NIOCore
import NIOHTTP1

/// AWS Signature Version 4 in the `Authorization` field, as "Authenticating Requests: Using the Authorization Header" of the
/// Amazon S3 API reference has it, with the payload's hash signed.
struct SignatureV4: Sendable {
    /// Who signs.
    let accessKey: String
    /// With what. Never logged.
    let secretKey: String
    /// The region that the service is in.
    let region: String
    /// The service.
    var service = "s3"

    /// The hash of a payload, in hexadecimal.
    static func hash(of payload: ByteBuffer?) -> String {
        guard let payload else { return hexadecimal(SHA256.hash(data: [UInt8]())) }
        return payload.withUnsafeReadableBytes { bytes in
            var hash = SHA256()
            hash.update(bufferPointer: bytes)
            return hexadecimal(hash.finalize())
        }
    }

    /// The value of `Authorization`.
    ///
    /// - Parameters:
    ///   - method: The method.
    ///   - path: The path as it stands in the request line.
    ///   - query: The query as it stands in the request line: encoded, and in order.
    ///   - headers: All fields that are to be signed, `Host` and `x-amz-content-sha256` among them.
    ///   - payloadHash: What ``hash(of:)`` gives.
    ///   - time: The moment that `x-amz-date` names.
    /// - Returns: The value.
    func authorization(
        method: HTTPMethod, path: String, query: String, headers: HTTPHeaders, payloadHash: String, time: CalendarTime
    ) -> String {
        let fields = headers.map { (name: $0.name.lowercased(), value: Self.trimmed($0.value)) }
            .sorted { $0.name < $1.name }
        let names = fields.map(\.name).joined(separator: ";")
        let canonical = [
            method.rawValue, path, query, fields.map { "\($0.name):\($0.value)\n" }.joined(), names, payloadHash,
        ].joined(separator: "\n")
        let stamp = time.compact
        let day = String(stamp.prefix(8))
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        let text = ["AWS4-HMAC-SHA256", stamp, scope, Self.hexadecimal(SHA256.hash(data: Array(canonical.utf8)))]
            .joined(separator: "\n")
        let signature = Self.hexadecimal(Self.code(text, key: key(day: day)))
        return "AWS4-HMAC-SHA256 Credential=\(accessKey)/\(scope),SignedHeaders=\(names),Signature=\(signature)"
    }

    private func key(day: String) -> SymmetricKey {
        var key = SymmetricKey(data: Array("AWS4\(secretKey)".utf8))
        for part in [day, region, service, "aws4_request"] {
            key = SymmetricKey(data: Self.code(part, key: key))
        }
        return key
    }

    private static func code(_ text: String, key: SymmetricKey) -> HMAC<SHA256>.MAC {
        HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key)
    }

    /// Without spaces around it, and with one where there are several.
    private static func trimmed(_ value: String) -> String {
        value.split(separator: " ").joined(separator: " ")
    }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
