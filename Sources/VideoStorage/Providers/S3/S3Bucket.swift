import Domain
import Logging
import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// One bucket: signs requests to it, sends them, and understands what comes back.
struct S3Bucket: Sendable {
    private let configuration: S3Configuration
    private let connections: ServiceConnections
    private let logger: Logger
    private let signature: SignatureV4
    /// Where requests go; with virtual addressing the bucket is a part of the host.
    let endpoint: ServiceEndpoint
    private let basePath: String

    /// Takes what a bucket is reached by; the owner of the connections shuts them down.
    init(_ configuration: S3Configuration, connections: ServiceConnections, logger: Logger) {
        self.configuration = configuration
        self.connections = connections
        self.logger = logger
        signature = SignatureV4(
            accessKey: configuration.accessKey, secretKey: configuration.secretKey, region: configuration.region)
        let path = configuration.endpoint.basePath
        switch configuration.addressing {
        case .path:
            endpoint = configuration.endpoint
            basePath = "\(path)/\(configuration.bucket)"
        case .virtual:
            endpoint = configuration.endpoint.withSubdomain(configuration.bucket)
            basePath = path
        }
    }

    /// The path of an object, or of the bucket itself, as it stands in the request line.
    func path(of location: StorageKey?) -> String {
        guard let location else { return basePath.isEmpty ? "/" : basePath }
        return "\(basePath)/\(PercentEncoding.encode(location.description, keepsSlashes: true))"
    }

    /// Sends a request about an object, or about the bucket itself.
    ///
    /// - Returns: The answer, whatever its status.
    /// - Throws: What the network does; see ``ServiceConnections``.
    func send(
        _ method: HTTPMethod,
        _ location: StorageKey? = nil,
        query: [HTTPQueryItem] = [],
        headers: HTTPHeaders = [:],
        body: ByteBuffer? = nil,
        maxReplyBytes: Int = HTTPCall.defaultMaxReplyBytes,
        deadline: Deadline
    ) async throws(ServiceError) -> HTTPReply {
        var call = HTTPCall(
            method: method, path: path(of: location), query: query, headers: headers, body: body,
            maxReplyBytes: maxReplyBytes)
        let time = CalendarTime(secondsSince1970: Date().timeIntervalSince1970)
        let hash = SignatureV4.hash(of: body)
        call.headers.replaceOrAdd(name: "Host", value: endpoint.host)
        call.headers.replaceOrAdd(name: "x-amz-content-sha256", value: hash)
        call.headers.replaceOrAdd(name: "x-amz-date", value: time.compact)
        call.headers.add(
            name: "Authorization",
            value: signature.authorization(
                method: method, path: call.path, query: call.encodedQuery, headers: call.headers, payloadHash: hash,
                time: time))
        return try await connections.send(call, to: endpoint, deadline: deadline)
    }

    /// The error that an answer stands for, after writing down what only its operator can mend.
    func failure(_ reply: HTTPReply, _ location: StorageKey?) -> ServiceError {
        let failure = S3Failure(reply)
        let error = failure.serviceError(location, bucket: configuration.bucket)
        if error.code == .internal || failure.code == "NoSuchBucket" {
            logger.error(
                "S3 refused a request",
                metadata: [
                    "status": "\(failure.status)", "code": "\(PrintableText(failure.code))",
                    "reason": "\(PrintableText(failure.message))", "bucket": "\(configuration.bucket)",
                    "key": "\(PrintableText(location?.description ?? "-"))",
                ])
        }
        return error
    }
}
