import AMQP
import Domain
import Logging
import NIOCore
import ServiceLifecycle
import Testing

@testable import RPC

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Where the real broker is. Without it these tests fail: they are about nothing else.
enum TestBroker {
    static func address() throws -> BrokerAddress {
        let text = try #require(
            ProcessInfo.processInfo.environment["RABBIT"], "set RABBIT to a broker's address, or run ./ops/test")
        return try BrokerAddress(text)
    }

    static func client(
        _ name: String, declarations: [Declaration] = [],
        onReturned: @escaping @Sendable (ReturnedMessage) -> Void = { _ in }
    ) throws -> AMQPClient {
        var logger = Logger(label: name)
        logger.logLevel = .error
        return try AMQPClient(
            AMQPConfiguration(address: address(), connectionName: name, declarations: declarations), logger: logger,
            onReturned: onReturned)
    }

    /// A name that no other test uses.
    static func unique(_ name: String) -> String { "test.\(name).\(UInt64.random(in: 0...UInt64.max))" }
}

/// Runs services while a test body runs, then stops them and waits until they have ended.
func withRunning<Result: Sendable>(
    _ services: [any Service], _ body: @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for service in services { group.addTask { try await service.run() } }
        do {
            let result = try await body()
            group.cancelAll()
            try await group.waitForAll()
            return result
        } catch {
            group.cancelAll()
            try? await group.waitForAll()
            throw error
        }
    }
}

/// Waits until something holds, at most 10 s.
func eventually(
    _ what: Comment, within limit: Duration = .seconds(10), _ holds: @Sendable () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while ContinuousClock.now < end {
        if try await holds() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record(what)
}
