import Domain
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import Testing

@testable import RPC

@Suite struct RPCServerTests {
    private let method = RPCMethod("work.v1", queue: "q", isIdempotent: true)
    private let transport = InMemoryTransport()

    private func server(_ router: RPCRouter, drainSeconds: Int = 5) -> RPCServer {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return RPCServer(
            transport: transport, router: router, queues: [ServedQueue(name: "q", maxConcurrentRequests: 8)],
            drainSeconds: drainSeconds, logger: logger)
    }

    private func request(_ correlation: String, deadline: Deadline = .after(.seconds(30))) -> IncomingRequest {
        IncomingRequest(
            method: method.name, payload: RPCPayload(contentType: "x/y", body: ByteBuffer()), deadline: deadline,
            callID: correlation, attempt: 1, isRedelivered: false, replyTo: "r", correlation: correlation, receipt: 0)
    }

    private func waitUntil(_ holds: () -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(10)
        while !holds() {
            try #require(ContinuousClock.now < end, "it never came to be")
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    @Test func workThatNobodyWaitsForIsNotBegun() async throws {
        let begun = Atomic(0)
        var router = RPCRouter()
        router.on(method) { (payload, _) throws(ServiceError) in payload }
        let server = server(router)
        let running = Task { try await server.run() }
        try await waitUntil { transport.isServing }
        transport.deliver(request("late", deadline: Deadline(.now - .seconds(1))))
        transport.deliver(request("timely"))
        try await waitUntil { transport.acknowledged == ["timely"] }
        #expect(transport.dropped == ["late"])
        #expect(begun.load(ordering: .relaxed) == 0)
        running.cancel()
        _ = await running.result
    }

    @Test func theHandlerLearnsDeadlineAndIdentity() async throws {
        let seen = Mutex<RPCContext?>(nil)
        var router = RPCRouter()
        router.on(method) { (payload, context) throws(ServiceError) in
            seen.withLock { $0 = context }
            return payload
        }
        let server = server(router)
        let running = Task { try await server.run() }
        try await waitUntil { transport.isServing }
        let deadline = Deadline.after(.seconds(17))
        transport.deliver(request("c", deadline: deadline))
        try await waitUntil { transport.acknowledged == ["c"] }
        let context = try #require(seen.withLock { $0 })
        #expect(context.deadline == deadline)
        #expect(context.callID == "c")
        running.cancel()
        _ = await running.result
    }

    @Test func aDrainFinishesWhatWasBegunAndGivesBackTheRest() async throws {
        let gate = AsyncStream<Void>.makeStream()
        var router = RPCRouter()
        router.on(method) { (payload, _) throws(ServiceError) in
            for await _ in gate.stream { break }
            return payload
        }
        let server = server(router)
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: server)], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
        let running = Task { try await group.run() }
        try await waitUntil { transport.isServing }
        transport.deliver(request("begun"))
        try await waitUntil { server.requestsInFlight == 1 }
        await group.triggerGracefulShutdown()
        try await waitUntil { !transport.isServing }
        #expect(transport.acknowledged.isEmpty)
        gate.continuation.yield()
        try await running.value
        #expect(transport.acknowledged == ["begun"])
    }

    @Test func aDrainHasALimit() async throws {
        var router = RPCRouter()
        router.on(method) { (payload, _) throws(ServiceError) in
            try? await Task.sleep(for: .seconds(600))
            return payload
        }
        let server = server(router, drainSeconds: 1)
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: server)], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
        let start = ContinuousClock.now
        let running = Task { try await group.run() }
        try await waitUntil { transport.isServing }
        transport.deliver(request("endless"))
        try await waitUntil { server.requestsInFlight == 1 }
        await group.triggerGracefulShutdown()
        try await running.value
        #expect(start.duration(to: .now) < .seconds(20))
    }
}
