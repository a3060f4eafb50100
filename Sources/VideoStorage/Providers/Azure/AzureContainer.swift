import Domain
import Logging
import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// One container of a storage account: signs requests to it, sends them, and understands what comes back.
struct AzureContainer: Sendable {
    /// The version of the service that is spoken; the one that Microsoft's own client speaks.
    static let serviceVersion = "2026-10-06"

    private let endpoint: ServiceEndpoint
    private let container: String
    private let key: SharedKey
    private let connections: ServiceConnections
    private let logger: Logger

    /// Takes what a container is reached by; the owner of the connections shuts them down.
    ///
    /// - Parameters:
    ///   - endpoint: Where the account's blobs are: `https://account.blob.core.windows.net`; with emulators, the account is in
    ///     the path.
    ///   - container: The container; it has to be there.
    ///   - key: Who signs.
    ///   - connections: What requests are sent over.
    ///   - logger: Where refusals are written that only an operator can mend.
    /// - Throws: `invalidArgument` when the container's name cannot be one.
    init(
        endpoint: ServiceEndpoint, container: String, key: SharedKey, connections: ServiceConnections, logger: Logger
    ) throws(ServiceError) {
        let isName = container.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
            default: false
            }
        }
        guard isName, (3...63).contains(container.utf8.count) else {
            throw ServiceError(.invalidArgument, "a container's name has 3 to 63 small letters, digits and hyphens.")
        }
        self.endpoint = endpoint
        self.container = container
        self.key = key
        self.connections = connections
        self.logger = logger
    }

    /// Sends a request about a blob, or about the container itself.
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
        let path = location.map { "/" + PercentEncoding.encode($0.description, keepsSlashes: true) } ?? ""
        var call = HTTPCall(
            method: method, path: "\(endpoint.basePath)/\(container)\(path)", query: query, headers: headers,
            body: body, maxReplyBytes: maxReplyBytes)
        call.headers.replaceOrAdd(name: "x-ms-version", value: Self.serviceVersion)
        call.headers.replaceOrAdd(
            name: "x-ms-date", value: CalendarTime(secondsSince1970: Date().timeIntervalSince1970).httpDate)
        var signed = call.headers
        if let count = body?.readableBytes, count > 0 { signed.add(name: "Content-Length", value: "\(count)") }
        let text = key.textToSign(method: method, path: call.path, query: query, headers: signed)
        call.headers.add(name: "Authorization", value: key.authorization(for: text))
        return try await connections.send(call, to: endpoint, deadline: deadline)
    }

    /// The error that an answer stands for, after writing down what only its operator can mend.
    func failure(_ reply: HTTPReply, _ location: StorageKey?) -> ServiceError {
        let failure = AzureFailure(reply)
        let error = failure.serviceError(location, container: container)
        if error.code == .internal || failure.code == "ContainerNotFound" {
            logger.error(
                "Azure Blob Storage refused a request",
                metadata: [
                    "status": "\(failure.status)", "code": "\(PrintableText(failure.code))",
                    "reason": "\(PrintableText(failure.message))", "container": "\(container)",
                    "key": "\(PrintableText(location?.description ?? "-"))",
                ])
        }
        return error
    }
}
