import Domain
import Logging
import NIOCore
import ServiceLifecycle
import Testing

@testable import RPC

/// Client and server over a transport in memory.
@Suite struct RPCClientTests {
    private let echo = RPCMethod("echo.v1", queue: "q", isIdempotent: true)
    private let body = RPCPayload(contentType: "x/y", fields: ["n": .number(7)], body: ByteBuffer(string: "hello"))
    private let transport = InMemoryTransport()
    private var logger: Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    private func with(
        _ router: RPCRouter = RPCRouter(), serving: Bool = true, _ test: (RPCClient) async throws -> Void
    ) async throws {
        let client = RPCClient(transport: transport, logger: logger)
        let server = RPCServer(
            transport: transport, router: router, queues: [ServedQueue(name: "q", maxConcurrentRequests: 4)],
            drainSeconds: 2, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            if serving { group.addTask { try await server.run() } }
            while serving, !transport.isServing { await Task.yield() }
            transport.tell(.ready)
            try await test(client)
            group.cancelAll()
        }
    }

    private func echoing() -> RPCRouter {
        var router = RPCRouter()
        router.on(echo) { (payload, _) throws(ServiceError) in payload }
        return router
    }

    @Test func aCallIsAnswered() async throws {
        try await with(echoing()) { client in
            let reply = try await client.call(echo, body, deadline: .after(.seconds(5)))
            #expect(reply == body)
        }
        #expect(transport.acknowledged.count == 1)
    }

    @Test func manyCallsAtOnceEachGetTheirOwnAnswer() async throws {
        try await with(echoing()) { client in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<500 {
                    group.addTask {
                        let payload = RPCPayload(contentType: "x/y", body: ByteBuffer(string: "\(number)"))
                        return try await client.call(echo, payload, deadline: .after(.seconds(10))) == payload
                    }
                }
                for try await isEqual in group { #expect(isEqual) }
            }
        }
    }

    @Test func aWorkersErrorIsTheCallersError() async throws {
        var router = RPCRouter()
        router.on(echo) { (_, _) throws(ServiceError) in throw ServiceError(.notFound, "no such thing") }
        try await with(router) { client in
            let error = await #expect(throws: ServiceError.self) {
                try await client.call(echo, body, deadline: .after(.seconds(5)))
            }
            #expect(error == ServiceError(.notFound, "no such thing"))
        }
    }

    @Test func anUnknownMethodIsUnimplemented() async throws {
        try await with(echoing()) { client in
            let error = await #expect(throws: ServiceError.self) {
                try await client.call(
                    RPCMethod("echo.v9", queue: "q", isIdempotent: true), body, deadline: .after(.seconds(5)))
            }
            #expect(error?.code == .unimplemented)
        }
    }

    @Test func whetherAnybodyWasThereTellsALateAnswerFromNone() async throws {
        for (workers, expected) in [
            (1, ServiceError.Code.deadlineExceeded), (0, .unavailable), (nil, .deadlineExceeded),
        ] {
            transport.setWorkers(workers)
            try await with(serving: false) { client in
                let error = await #expect(throws: ServiceError.self) {
                    try await client.call(echo, body, deadline: .after(.milliseconds(60)))
                }
                #expect(error?.code == expected)
            }
        }
    }

    /// The broker may be busy; the caller is owed an error all the same.
    @Test func aLookThatIsNotAnsweredHoldsNoErrorUp() async throws {
        transport.setWorkers(0)
        transport.answerNoLooks()
        try await with(serving: false) { client in
            let start = ContinuousClock.now
            let error = await #expect(throws: ServiceError.self) {
                try await client.call(echo, body, deadline: .after(.milliseconds(60)))
            }
            #expect(error?.code == .deadlineExceeded)
            #expect(start.duration(to: .now) < .seconds(20))
        }
    }

    @Test func cancellationEndsTheWaitAtOnce() async throws {
        try await with(serving: false) { client in
            let start = ContinuousClock.now
            let task = Task { try await client.call(echo, body, deadline: .after(.seconds(60))) }
            while transport.sent.isEmpty { await Task.yield() }
            task.cancel()
            await #expect(throws: ServiceError.self) { try await task.value }
            #expect(start.duration(to: .now) < .seconds(10))
        }
    }

    @Test func aCallOfACancelledTaskIsNotSent() async throws {
        try await with(serving: false) { client in
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                return try await client.call(echo, body, deadline: .after(.seconds(60)))
            }
            task.cancel()
            await #expect(throws: ServiceError.self) { try await task.value }
        }
        #expect(transport.sent.isEmpty)
    }

    @Test func whoeverStillWaitsAtTheEndIsTold() async throws {
        let client = RPCClient(transport: transport, logger: logger)
        let running = Task { try await client.run() }
        transport.tell(.ready)
        let call = Task { try await client.call(echo, body, deadline: .after(.seconds(60))) }
        while transport.sent.isEmpty { await Task.yield() }
        running.cancel()
        let error = await #expect(throws: ServiceError.self) { try await call.value }
        #expect(error?.code == .unavailable)
        let late = await #expect(throws: ServiceError.self) {
            try await client.call(echo, body, deadline: .after(.seconds(60)))
        }
        #expect(late?.code == .unavailable)
    }
}
