import AMQP
import Domain
import Logging
import NIOCore
import TestKit
import Testing

@testable import RPC

/// Requests whose workers are lost, against the real broker that RABBIT names.
@Suite(.serialized) struct RedeliveryTests {
    private let queue = ServedQueue(
        name: TestBroker.unique("redelivery"), maxConcurrentRequests: 4, keepsDeadRequests: true)
    private let service = TestBroker.unique("service")
    private var method: RPCMethod { RPCMethod("work.v1", queue: queue.name, isIdempotent: false) }

    private var quiet: Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    /// Takes the request and is cut off from the broker before it answers, as one that dies is.
    private func beginAndDie(_ begun: Collected<RPCContext>) async throws {
        let amqp = try TestBroker.client("mortal")
        let gate = InMemoryGate()
        var router = RPCRouter()
        router.on(method) { (payload, context) throws(ServiceError) in
            begun.add(context)
            try await gate.pass(deadline: .after(.seconds(60)))
            return payload
        }
        let server = RPCServer(
            over: amqp, service: service, router: router, queues: [queue], drainSeconds: 0, logger: quiet)
        let before = begun.count
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            try await withRunning([amqp]) {
                try await eventually("begun") { begun.count == before + 1 }
            }
            gate.open()
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    /// Makes a call that so many workers are lost with before one comes that stays.
    ///
    /// - Returns: The answer, and what each handler was told that began it.
    private func call(deaths: Int) async throws -> (answer: Result<RPCPayload, ServiceError>, begun: [RPCContext]) {
        let begun = Collected<RPCContext>()
        let caller = try TestBroker.client(
            "caller", declarations: RPCTopology.requests(to: [queue.name]))
        let client = RPCClient(over: caller, name: "test", services: [service], logger: quiet)
        let answer = try await withRunning([caller, client]) {
            try await eventually("connected") { caller.isConnected }
            // The queue has to be there before the call.
            async let first: Void = beginAndDie(begun)
            try await eventually("a queue") { try await caller.inspectQueue(queue.name)?.consumers == 1 }
            let answers = Collected<Result<RPCPayload, ServiceError>>()
            async let called: Void = answers.add(
                Self.result { () async throws(ServiceError) in
                    let payload = RPCPayload(contentType: "t", body: ByteBuffer(string: "work"))
                    return try await client.call(method, payload, deadline: .after(.seconds(30)))
                })
            try await first
            for _ in 1..<deaths { try await beginAndDie(begun) }
            let amqp = try TestBroker.client("immortal")
            try await withRunning([amqp, lastWorker(over: amqp, begun)]) {
                try await eventually("an answer", within: .seconds(40)) { answers.count == 1 }
            }
            await called
            return try #require(answers.all.first)
        }
        return (answer, begun.all)
    }

    private func lastWorker(over amqp: AMQPClient, _ begun: Collected<RPCContext>) -> RPCServer {
        var router = RPCRouter()
        router.on(method) { (payload, context) throws(ServiceError) in
            begun.add(context)
            return payload
        }
        return RPCServer(over: amqp, service: service, router: router, queues: [queue], logger: quiet)
    }

    private static func result(
        _ body: () async throws(ServiceError) -> RPCPayload
    ) async -> Result<RPCPayload, ServiceError> {
        do throws(ServiceError) {
            return .success(try await body())
        } catch {
            return .failure(error)
        }
    }

    @Test func aRequestThatIsLostWithItsWorkerIsDoneByAnother() async throws {
        let (answer, begun) = try await call(deaths: 2)
        #expect(try answer.get().body == ByteBuffer(string: "work"))
        #expect(begun.map(\.isRedelivered) == [false, true, true])
        #expect(Set(begun.map(\.callID)).count == 1)
    }

    @Test func aRequestThatThreeWorkersAreLostWithIsAnsweredAndTheWorkerGoesOn() async throws {
        let (answer, begun) = try await call(deaths: 3)
        guard case .failure(let error) = answer else {
            Issue.record("it was done a fourth time")
            return
        }
        #expect(error.code == .internal)
        #expect(error.message.contains("3 workers"))
        #expect(begun.count == 3)
        #expect(try await deadRequests() == [ByteBuffer(string: "work")])
    }

    /// What has been put aside.
    private func deadRequests() async throws -> [ByteBuffer] {
        let bodies = Collected<ByteBuffer>()
        let amqp = try TestBroker.client("coroner")
        try await withRunning([amqp]) {
            amqp.addConsumer(
                Consumer(
                    declarations: [], queue: .fixed(EventTopology.deadQueue(of: queue.name)), prefetchCount: 10,
                    onDelivery: { delivery in
                        bodies.add(delivery.message.body)
                        amqp.acknowledge(delivery.token)
                    }))
            try await eventually("a dead request") { bodies.count >= 1 }
        }
        return bodies.all
    }
}
