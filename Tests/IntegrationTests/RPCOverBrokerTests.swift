import AMQP
import Domain
import Logging
import NIOCore
import Synchronization
import TestKit
import Testing

@testable import RPC

/// Client and server over the real broker that RABBIT names.
@Suite(.serialized) struct RPCOverBrokerTests {
    private struct Pair {
        let method: RPCMethod
        let service: String
        let queue: ServedQueue
    }

    private func pair(idempotent: Bool = true, waiting: Int = 100, lifetime: Int = 2) -> Pair {
        let queue = TestBroker.unique("rpc")
        return Pair(
            method: RPCMethod("echo.v1", queue: queue, isIdempotent: idempotent), service: TestBroker.unique("service"),
            queue: ServedQueue(
                name: queue, maxConcurrentRequests: 8, maxWaitingRequests: waiting,
                lifetimeWithoutWorkerSeconds: lifetime))
    }

    private var quiet: Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    private func echo(_ pair: Pair, _ work: @escaping @Sendable () async -> Void = {}) -> RPCRouter {
        var router = RPCRouter()
        router.on(pair.method) { (payload, _) throws(ServiceError) in
            await work()
            return payload
        }
        return router
    }

    private func server(_ pair: Pair, over amqp: AMQPClient, _ router: RPCRouter) -> RPCServer {
        RPCServer(over: amqp, service: pair.service, router: router, queues: [pair.queue], logger: quiet)
    }

    private func client(_ pair: Pair, over amqp: AMQPClient) -> RPCClient {
        RPCClient(over: amqp, name: "test", services: [pair.service], logger: quiet)
    }

    private func requests(_ pair: Pair) throws -> AMQPClient {
        try TestBroker.client("caller", declarations: RPCTopology.requests(to: [pair.queue.name]))
    }

    @Test func callsOfManySizesAreAnsweredByteForByte() async throws {
        let pair = pair()
        let (worker, caller) = (try TestBroker.client("worker"), try requests(pair))
        let (server, client) = (server(pair, over: worker, echo(pair)), client(pair, over: caller))
        try await withRunning([worker, caller, server, client]) {
            try await eventually("serving") { server.isServing }
            var random = SeededRandom(seed: 2)
            for size in [0, 1, 200, 131_063, 131_064, 131_065, 262_128, 262_144, 1_048_576] {
                let body = ByteBuffer(bytes: (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) })
                let payload = RPCPayload(
                    contentType: RPCPayload.bytes, fields: ["size": .number(Int64(size)), "name": .text("ü")],
                    body: body)
                let reply = try await client.call(pair.method, payload, deadline: .after(.seconds(10)))
                #expect(reply.body == body)
                #expect(reply.number("size") == Int64(size))
                #expect(reply.text("name") == "ü")
            }
        }
    }

    @Test func twoThousandCallsAtOnceAreAllAnswered() async throws {
        let pair = pair(waiting: 4_096)
        let (worker, caller) = (try TestBroker.client("worker"), try requests(pair))
        let (server, client) = (server(pair, over: worker, echo(pair)), client(pair, over: caller))
        try await withRunning([worker, caller, server, client]) {
            try await eventually("serving") { server.isServing }
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<2_000 {
                    group.addTask {
                        let payload = RPCPayload(contentType: "t", body: ByteBuffer(string: "\(number)"))
                        let reply = try await client.call(pair.method, payload, deadline: .after(.seconds(30)))
                        return reply.body == payload.body
                    }
                }
                for try await isEqual in group { #expect(isEqual) }
            }
        }
    }

    @Test func withoutAQueueACallFailsAtOnce() async throws {
        let pair = pair()
        let caller = try requests(pair)
        let client = client(pair, over: caller)
        try await withRunning([caller, client]) {
            try await eventually("connected") { caller.isConnected }
            let start = ContinuousClock.now
            let error = await #expect(throws: ServiceError.self) {
                try await client.call(
                    pair.method, RPCPayload(contentType: "t", body: ByteBuffer()), deadline: .after(.seconds(20)))
            }
            #expect(error?.code == .unavailable)
            #expect(start.duration(to: .now) < .seconds(5))
        }
    }

    /// Asks for something of which nobody is there to do it.
    private func timeToRefusal(_ client: RPCClient, _ pair: Pair, deadlineSeconds: Int) async -> Duration {
        let empty = RPCPayload(contentType: "t", body: ByteBuffer())
        let start = ContinuousClock.now
        let error = await #expect(throws: ServiceError.self) {
            try await client.call(pair.method, empty, deadline: .after(.seconds(deadlineSeconds)))
        }
        #expect(error?.code == .unavailable)
        return start.duration(to: .now)
    }

    @Test func aQueueThatWorkersHaveLeftIsUnavailableAtTheDeadlineAndAtOnceWhenItHasExpired() async throws {
        let pair = pair(lifetime: 2)
        let (worker, caller) = (try TestBroker.client("worker"), try requests(pair))
        let (server, client) = (server(pair, over: worker, echo(pair)), client(pair, over: caller))
        try await withRunning([caller, client]) {
            try await withRunning([worker, server]) {
                let empty = RPCPayload(contentType: "t", body: ByteBuffer())
                try await eventually("serving") { server.isServing }
                _ = try await client.call(pair.method, empty, deadline: .after(.seconds(10)))
            }
            #expect(await timeToRefusal(client, pair, deadlineSeconds: 1) > .milliseconds(900))
            // Nobody looks at the queue meanwhile: a look would keep it alive.
            try await Task.sleep(for: .seconds(4))
            #expect(try await caller.inspectQueue(pair.queue.name) == nil)
            #expect(await timeToRefusal(client, pair, deadlineSeconds: 20) < .seconds(5))
        }
    }

    @Test func aQueueThatIsLookedAtStaysButALongAbsenceIsRememberedUntilAWorkerComes() async throws {
        let pair = pair(lifetime: 60)
        let caller = try requests(pair)
        let client = client(pair, over: caller)
        try await withRunning([caller, client]) {
            for _ in 0..<2 {
                let worker = try TestBroker.client("worker")
                let server = server(pair, over: worker, echo(pair))
                try await withRunning([worker, server]) {
                    let payload = RPCPayload(contentType: "t", body: ByteBuffer(string: "x"))
                    try await eventually("serving") { server.isServing }
                    let reply = try await client.call(pair.method, payload, deadline: .after(.seconds(10)))
                    #expect(reply.body == payload.body)
                }
                let gone = ContinuousClock.now
                while gone.duration(to: .now) < WorkerAbsence.limit {
                    _ = await timeToRefusal(client, pair, deadlineSeconds: 3)
                }
                #expect(await timeToRefusal(client, pair, deadlineSeconds: 20) < .seconds(5))
            }
        }
    }

    @Test func aFullQueueIsOverloaded() async throws {
        let pair = pair(waiting: 2)
        let (worker, caller) = (try TestBroker.client("worker"), try requests(pair))
        let gate = AsyncStream<Void>.makeStream()
        let server = server(pair, over: worker, echo(pair) { for await _ in gate.stream { break } })
        let client = client(pair, over: caller)
        let empty = RPCPayload(contentType: "t", body: ByteBuffer())
        try await withRunning([worker, caller, server, client]) {
            try await eventually("serving") { server.isServing }
            let codes = await withTaskGroup(of: ServiceError.Code?.self) { group in
                // 8 are worked on, 2 wait; the rest is refused while all of them stand still.
                for _ in 0..<30 {
                    group.addTask {
                        do throws(ServiceError) {
                            _ = try await client.call(pair.method, empty, deadline: .after(.seconds(20)))
                            return nil
                        } catch {
                            return error.code
                        }
                    }
                }
                var codes: [ServiceError.Code?] = []
                for await code in group {
                    codes.append(code)
                    if codes.count >= 15 { gate.continuation.finish() }
                }
                return codes
            }
            #expect(codes.count { $0 == .overloaded } >= 15)
            #expect(codes.count { $0 == nil } >= 10)
            #expect(codes.allSatisfy { $0 == nil || $0 == .overloaded })
        }
    }

    @Test func anIdempotentCallOutlivesTheLossOfEveryConnection() async throws {
        let pair = pair(lifetime: 30)
        let (worker, caller) = (try TestBroker.client("worker"), try requests(pair))
        let begun = Atomic(0)
        let router = echo(pair) {
            // The first attempt is under way when the connections are closed; its answer has nowhere to go.
            if begun.add(1, ordering: .relaxed).newValue == 1 { try? await Task.sleep(for: .seconds(4)) }
        }
        let (server, client) = (server(pair, over: worker, router), client(pair, over: caller))
        let payload = RPCPayload(contentType: "t", body: ByteBuffer(string: "again"))
        try await withRunning([worker, caller, server, client]) {
            try await eventually("serving") { server.isServing }
            async let reply = client.call(pair.method, payload, deadline: .after(.seconds(20)))
            try await eventually("begun") { begun.load(ordering: .relaxed) == 1 }
            try await BrokerControl.run(["close_all_connections", "test"])
            #expect(try await reply.body == payload.body)
            #expect(begun.load(ordering: .relaxed) >= 2)
        }
    }

    @Test func aServiceCannotAnswerForAnother() async throws {
        let (honest, liar) = (TestBroker.unique("honest"), TestBroker.unique("liar"))
        let queue = TestBroker.unique("rpc")
        let (worker, caller) = (try TestBroker.client("worker"), try TestBroker.client("caller"))
        let client = RPCClient(over: caller, name: "test", services: [honest, liar], logger: quiet)
        let isThere = Synchronization.Atomic<Bool>(false)
        worker.addConsumer(
            Consumer(
                declarations: [
                    .exchange(name: RPCTopology.requestExchange(of: queue), kind: .direct),
                    .exchange(name: RPCTopology.replyExchange(of: honest), kind: .direct),
                    .exchange(name: RPCTopology.replyExchange(of: liar), kind: .direct),
                    .queue(Queue(name: .fixed(queue), lifetime: .exclusive)),
                    .binding(
                        queue: .fixed(queue), exchange: RPCTopology.requestExchange(of: queue), routingKey: .queueName),
                ], queue: .fixed(queue), prefetchCount: 1,
                onDelivery: { delivery in
                    for service in [liar, honest] {
                        let payload = RPCPayload(contentType: "t", body: ByteBuffer(string: service))
                        var message = Message(result: .success(payload))
                        message.properties.correlationID = delivery.message.properties.correlationID
                        try? worker.publish(
                            message, exchange: RPCTopology.replyExchange(of: service),
                            routingKey: delivery.message.properties.replyTo ?? "", isMandatory: true
                        ) { _ in }
                    }
                    worker.acknowledge(delivery.token)
                }, onActive: { _ in isThere.store(true, ordering: .relaxed) }))
        try await withRunning([worker, caller, client]) {
            try await eventually("a worker") { isThere.load(ordering: .relaxed) && worker.isConnected }
            let method = RPCMethod("\(honest).work.v1", queue: queue, isIdempotent: false)
            let question = RPCPayload(contentType: "t", body: ByteBuffer(string: "who?"))
            let answer = try await client.call(method, question, deadline: .after(.seconds(10)))
            #expect(String(buffer: answer.body) == honest)
        }
    }

    @Test func aMalformedRequestIsRefusedAndNotDeliveredAgain() async throws {
        let pair = pair()
        let (worker, caller) = (try TestBroker.client("worker"), try requests(pair))
        let (server, client) = (server(pair, over: worker, echo(pair)), client(pair, over: caller))
        try await withRunning([worker, caller, server, client]) {
            try await eventually("serving") { server.isServing && caller.isConnected }
            let malformed = [
                MessageProperties(), MessageProperties(type: "echo.v1"),
                MessageProperties(type: "echo.v1", replyTo: "nowhere"),
                MessageProperties(type: "echo.v1", correlationID: "1", replyTo: ""),
                MessageProperties(correlationID: "1", replyTo: "nowhere"),
            ]
            for properties in malformed {
                try caller.publish(
                    Message(properties: properties, body: ByteBuffer(string: "?")),
                    exchange: RPCTopology.requestExchange(of: pair.queue.name), routingKey: pair.queue.name,
                    isMandatory: true
                ) { _ in }
            }
            // The worker lives, and the queue is empty.
            let payload = RPCPayload(contentType: "t", body: ByteBuffer(string: "well"))
            #expect(try await client.call(pair.method, payload, deadline: .after(.seconds(10))).body == payload.body)
            try await eventually("empty") {
                try await caller.inspectQueue(pair.queue.name)?.readyMessages == 0
            }
        }
    }
}
