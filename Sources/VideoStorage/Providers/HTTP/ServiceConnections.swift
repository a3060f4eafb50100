import AsyncHTTPClient
import Domain
import NIOCore
import NIOHTTP1

/// Connections to a storage service: sends a request, gives the whole answer, and turns whatever the network does into a
/// `ServiceError`. It does not retry and follows no redirection.
final class ServiceConnections: Sendable {
    /// Longer than a handshake with a far region takes, shorter than a viewer's patience.
    private static let connectSeconds: Int64 = 3
    /// How long a connection may be silent in the middle of an answer. A commit may take its time.
    private static let silenceSeconds: Int64 = 30
    /// How much is taken from a connection at once; a read costs the same, whatever it brings. NIO's own bound is 64 KiB.
    private static let maxReceivedBytes = 262_144

    private let client: HTTPClient
    private let throttle = Throttle()

    /// Prepares connections; none is made yet.
    ///
    /// - Parameter maxConnections: How many are kept to one host; more requests than that wait.
    init(maxConnections: Int) {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: HTTPClient.Configuration.Timeout(
                connect: .seconds(Self.connectSeconds), read: .seconds(Self.silenceSeconds)),
            connectionPool: HTTPClient.Configuration.ConnectionPool(
                idleTimeout: .seconds(30), concurrentHTTP1ConnectionsPerHostSoftLimit: maxConnections),
            decompression: .disabled)
        configuration.httpVersion = .http1Only
        // Who wraps the provider decides about a second attempt.
        configuration.connectionPool.retryConnectionEstablishment = false
        // The client's only way to a connection's options, whatever its name says.
        configuration.http1_1ConnectionDebugInitializer = { channel in
            channel.setOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 64, initial: 2_048, maximum: Self.maxReceivedBytes))
        }
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Closes the connections; what is under way fails.
    func shutdown() async {
        // It throws when it is done twice only.
        try? await client.shutdown()
    }

    /// Sends a request that is signed.
    ///
    /// - Parameters:
    ///   - call: The request.
    ///   - endpoint: Where to.
    ///   - deadline: When nobody waits for the answer any more.
    /// - Returns: The answer, whatever its status; its body is as long as it said.
    /// - Throws: `unavailable` when there was no whole answer, `overloaded` when the service wants to be left alone for longer
    ///   than the deadline allows, `deadlineExceeded`, `internal` when the answer was too long.
    func send(
        _ call: HTTPCall, to endpoint: ServiceEndpoint, deadline: Deadline
    ) async throws(ServiceError) -> HTTPReply {
        try await throttle.wait(for: endpoint.host, deadline: deadline)
        let left = deadline.remaining()
        guard left > .zero, !Task.isCancelled else { throw Self.late }
        do {
            var request = try HTTPClient.Request(
                url: endpoint.address(call.path, query: call.encodedQuery), method: call.method, headers: call.headers)
            if let body = call.body { request.body = .byteBuffer(body) }
            // The deadline holds to the end of the body, which may come byte by byte and never fall silent.
            let exchange = client.execute(
                request: request, delegate: ReplyCollector(to: call), deadline: .now() + TimeAmount(left))
            let reply = try await withTaskCancellationHandler {
                try await exchange.get()
            } onCancel: {
                exchange.cancel()
            }
            throttle.heed(reply, from: endpoint.host)
            return reply
        } catch let error as ServiceError {
            throw error
        } catch {
            throw Self.explain(error, deadline: deadline)
        }
    }

    private static func explain(_ error: any Error, deadline: Deadline) -> ServiceError {
        if deadline.hasPassed() || Task.isCancelled || error is CancellationError { return late }
        switch error {
        case let error as HTTPClientError where error == .cancelled || error == .deadlineExceeded:
            return late
        default:
            return ServiceError(.unavailable, "The storage service does not answer; try later.", cause: error)
        }
    }

    private static var late: ServiceError {
        ServiceError(.deadlineExceeded, "The storage service did not answer in time.")
    }
}
