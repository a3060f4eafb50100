import AMQP
import Domain
import Foundation
import Logging
import NIOCore
import Testing

@testable import RPC

extension TestBroker {
    /// A broker on this machine, or what stands in front of one.
    static func address(port: Int, of original: BrokerAddress? = nil) throws -> BrokerAddress {
        let (user, password) = (original?.user ?? "guest", original?.password ?? "guest")
        let host = (original?.virtualHost ?? "/").replacingOccurrences(of: "/", with: "%2f")
        return try BrokerAddress("amqp://\(user):\(password)@127.0.0.1:\(port)/\(host)")
    }

    /// Limits short enough to wait for in a test; a dead peer is noticed in two heartbeats, 4 s.
    static func impatient(_ name: String, at address: BrokerAddress) -> AMQPConfiguration {
        var configuration = AMQPConfiguration(address: address, connectionName: name)
        configuration.heartbeatSeconds = 2
        configuration.connectSeconds = 2
        configuration.replySeconds = 2
        configuration.backoff = Backoff(first: .milliseconds(20), limit: .milliseconds(200))
        return configuration
    }

    /// The same for the real broker, through a proxy.
    static func impatient(_ name: String, throughPort port: Int) throws -> AMQPConfiguration {
        impatient(name, at: try address(port: port, of: address()))
    }
}

/// Publishes with a confirm and waits for the outcome.
func publishConfirmed(
    _ message: Message = Message(), exchange: String = "", to key: String, over client: AMQPClient
) async throws -> PublishOutcome {
    try await withCheckedThrowingContinuation { continuation in
        do throws(AMQPError) {
            try client.publishConfirmed(message, exchange: exchange, routingKey: key) {
                continuation.resume(returning: $0)
            }
        } catch {
            continuation.resume(throwing: error)
        }
    }
}

extension PublishOutcome {
    var isAccepted: Bool {
        guard case .accepted = self else { return false }
        return true
    }

    var error: AMQPError? {
        guard case .failed(let error) = self else { return nil }
        return error
    }
}

/// A worker that gives back what it gets, and its caller, each with a connection of its own.
struct Echo: Sendable {
    let method: RPCMethod
    let queue: ServedQueue
    let server: RPCServer
    let client: RPCClient

    init(
        worker: AMQPClient, caller: AMQPClient, isIdempotent: Bool = true, lifetimeSeconds: Int = 60,
        log: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        work: @escaping @Sendable () async -> Void = {}
    ) {
        let name = TestBroker.unique("echo")
        method = RPCMethod("echo.v1", queue: name, isIdempotent: isIdempotent)
        queue = ServedQueue(name: name, maxConcurrentRequests: 64, lifetimeWithoutWorkerSeconds: lifetimeSeconds)
        let service = TestBroker.unique("service")
        var router = RPCRouter()
        router.on(method) { (payload, _) throws(ServiceError) in
            await work()
            return payload
        }
        server = RPCServer(over: worker, service: service, router: router, queues: [queue], logger: log)
        client = RPCClient(over: caller, name: "test", services: [service], logger: log)
    }

    /// Calls and checks the answer.
    ///
    /// - Returns: What went wrong, if something did.
    func call(_ text: String = "hello", seconds: Int = 20) async -> ServiceError? {
        let payload = RPCPayload(contentType: "t", body: ByteBuffer(string: text))
        do throws(ServiceError) {
            let reply = try await client.call(method, payload, deadline: .after(.seconds(seconds)))
            return reply.body == payload.body ? nil : ServiceError(.corrupt, "another body came back")
        } catch {
            return error
        }
    }
}

/// How long something takes.
func time(_ work: () async throws -> Void) async rethrows -> Duration {
    let start = ContinuousClock.now
    try await work()
    return start.duration(to: .now)
}

/// Puts a figure into the output of the tests.
func tellFigure(_ text: String) {
    print("measured: \(text)")
}
