import AMQP
import Domain
import NIOCore
import RPC
import Synchronization
import TestKit
import Testing

/// What an operator, or a broker in need, does to callers and workers.
@Suite(.serialized, .timeLimit(.minutes(2))) struct BrokerFaultTests {
    private func client(_ name: String, log: RecordedLog = RecordedLog()) throws -> AMQPClient {
        try AMQPClient(TestBroker.impatient(name, at: try TestBroker.address()), logger: log.logger)
    }

    /// The whole broker takes no messages meanwhile.
    private func withMemoryAlarm(_ body: @Sendable () async throws -> Void) async throws {
        let limit = try await BrokerControl.run(["eval", "vm_memory_monitor:get_vm_memory_high_watermark()."])
        try #require(!limit.isEmpty)
        try await BrokerControl.run(["set_vm_memory_high_watermark", "0"])
        let result: Result<Void, any Error>
        do {
            try await body()
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try await BrokerControl.run(["eval", "vm_memory_monitor:set_vm_memory_high_watermark(\(limit))."])
        try result.get()
    }

    @Test func whileTheBrokerIsShortOfMemoryCallsAreOverloadedAtOnceAndThenAllIsWell() async throws {
        let (worker, caller) = (try client("worker"), try client("caller"))
        let echo = Echo(worker: worker, caller: caller)
        try await withRunning([worker, caller, echo.server, echo.client]) {
            try await eventually("serving") { echo.server.isServing }
            #expect(await echo.call() == nil)
            try await withMemoryAlarm {
                // The broker says so to a connection that publishes, when it publishes.
                try await eventually("refused") {
                    let error = await echo.call(seconds: 1)
                    return error?.code == .overloaded
                }
                let end = ContinuousClock.now + .seconds(10)
                while ContinuousClock.now < end {
                    let took = await time {
                        #expect(await echo.call()?.code == .overloaded)
                    }
                    #expect(took < .seconds(1))
                    try await Task.sleep(for: .milliseconds(200))
                }
                #expect(caller.blockedReason?.isEmpty == false)
                #expect(caller.isConnected)
            }
            try await eventually("told that it is over") { caller.blockedReason == nil }
            try await eventually("well again") { await echo.call(seconds: 2) == nil }
            for _ in 0..<20 { #expect(await echo.call() == nil) }
        }
    }

    @Test func whoeverMayDoNothingIsToldSoByName() async throws {
        let user = TestBroker.unique("user")
        try await BrokerControl.run(["add_user", user, "secret"])
        let address = try TestBroker.address()
        let configuration = TestBroker.impatient(
            "refused", at: try BrokerAddress("amqp://\(user):secret@127.0.0.1:\(address.hosts[0].port)/"))
        let log = RecordedLog()
        let client = try AMQPClient(configuration, logger: log.logger)
        let (active, queue) = (Collected<String>(), TestBroker.unique("theirs"))
        client.addConsumer(
            Consumer(
                declarations: [.queue(Queue(name: .fixed(queue), lifetime: .durable))], queue: .fixed(queue),
                prefetchCount: 1, onDelivery: { _ in }, onActive: { active.add($0) }))
        try await withRunning([client]) {
            // Not even into the virtual host.
            try await eventually("told") { log.lines.contains { $0.contains(user) && $0.contains("530") } }
            #expect(!client.isConnected)

            try await BrokerControl.run(["set_permissions", user, "^$", "^$", "^$"])
            try await eventually("connected") { client.isConnected }
            try await eventually("told of the queue") {
                log.lines.contains { $0.hasPrefix("warning") && $0.contains("403") && $0.contains(queue) }
            }
            let error = try await publishConfirmed(exchange: "amq.topic", to: "k", over: client).error
            #expect(error?.kind == .channelClosed(code: 403))
            #expect(error?.message.contains("amq.topic") == true)
            #expect(active.count == 0)

            try await BrokerControl.run(["set_permissions", user, ".*", ".*", ".*"])
            try await eventually("consuming") { active.count == 1 }
            #expect(try await publishConfirmed(to: queue, over: client).isAccepted)
            try await BrokerControl.run(["delete_queue", queue])
            try await BrokerControl.run(["delete_user", user])
        }
        #expect(!log.lines.contains { $0.contains("secret") })
    }

    @Test func aCallerWhoMayNotHearRepliesIsToldSo() async throws {
        let user = TestBroker.unique("deaf")
        try await BrokerControl.run(["add_user", user, "secret"])
        try await BrokerControl.run(["set_permissions", user, "^$", ".*", "^$"])
        let address = try TestBroker.address()
        let log = RecordedLog()
        let caller = try AMQPClient(
            TestBroker.impatient(
                "deaf", at: try BrokerAddress("amqp://\(user):secret@127.0.0.1:\(address.hosts[0].port)/")),
            logger: log.logger)
        let worker = try TestBroker.client("worker")
        let echo = Echo(worker: worker, caller: caller)
        try await withRunning([worker, caller, echo.server, echo.client]) {
            try await eventually("refused") { log.lines.contains { $0.contains("403") } }
            let error = await echo.call(seconds: 1)
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains("refuses the queue for replies") == true)
            try await BrokerControl.run(["set_permissions", user, ".*", ".*", ".*"])
            try await eventually("mended") { await echo.call(seconds: 2) == nil }
        }
        try await BrokerControl.run(["delete_user", user])
    }

    @Test func aCallOutlivesTheDeletionOfItsReplyQueue() async throws {
        let (worker, caller) = (try client("worker"), try client("caller"))
        let begun = Atomic(0)
        let replyQueue = Mutex("")
        let echo = Echo(worker: worker, caller: caller) {
            if begun.add(1, ordering: .relaxed).newValue == 1 { try? await Task.sleep(for: .seconds(4)) }
        }
        try await withRunning([worker, caller, echo.server, echo.client]) {
            try await eventually("serving") { echo.server.isServing }
            try await eventually("connected") { caller.isConnected }
            let names = try await BrokerControl.run(["list_queues", "--quiet", "--no-table-headers", "name"])
            let own = try #require(names.split(separator: "\n").last { $0.hasPrefix("millrace.reply.test.") })
            replyQueue.withLock { $0 = String(own) }
            async let result = echo.call()
            try await eventually("begun") { begun.load(ordering: .relaxed) == 1 }
            // It is exclusive: only its own connection may delete it, so the node itself is asked.
            let name = replyQueue.withLock { $0 }
            try await BrokerControl.run([
                "eval",
                "{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"\(name)\">>)), "
                    + "rabbit_amqqueue:delete(Q, false, false, <<\"test\">>).",
            ])
            #expect(await result == nil)
            #expect(begun.load(ordering: .relaxed) == 2)
        }
    }

    @Test func aRequestQueueThatIsDeletedIsMadeAgain() async throws {
        let log = RecordedLog()
        let (worker, caller) = (try client("worker", log: log), try client("caller"))
        let echo = Echo(worker: worker, caller: caller)
        try await withRunning([worker, caller, echo.server, echo.client]) {
            try await eventually("serving") { echo.server.isServing }
            #expect(await echo.call() == nil)
            try await BrokerControl.run(["delete_queue", echo.queue.name])
            try await eventually("well again") { await echo.call(seconds: 2) == nil }
            try await eventually("serving again") { echo.server.isServing }
        }
        #expect(log.lines.contains { $0.hasPrefix("warning") && $0.contains("its queue is gone") })
    }

    @Test func aMissingExchangeIsNamedAndACallFailsAtOnce() async throws {
        let exchange = TestBroker.unique("exchange")
        let (log, queue) = (RecordedLog(), TestBroker.unique("bound"))
        var configuration = TestBroker.impatient("exchange", at: try TestBroker.address())
        configuration.declarations = [
            .exchange(name: exchange, kind: .direct),
            .queue(Queue(name: .fixed(queue), lifetime: .durable, arguments: ["x-expires": .int(60_000)])),
            .binding(queue: .fixed(queue), exchange: exchange, routingKey: .queueName),
        ]
        let client = try AMQPClient(configuration, logger: log.logger)
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            #expect(try await publishConfirmed(exchange: exchange, to: queue, over: client).isAccepted)
            try await BrokerControl.run([
                "eval",
                "rabbit_exchange:delete(rabbit_misc:r(<<\"/\">>, exchange, <<\"\(exchange)\">>), false, <<\"test\">>).",
            ])
            let error = try await publishConfirmed(exchange: exchange, to: queue, over: client).error
            #expect(error?.kind == .channelClosed(code: 404))
            #expect(error?.message.contains(exchange) == true)
            #expect(log.lines.contains { $0.hasPrefix("warning") && $0.contains("A message was refused") })
            try await eventually("made again with the channel") {
                (try? await publishConfirmed(exchange: exchange, to: queue, over: client))?.isAccepted == true
            }
        }
    }

    /// The broker closes the channel, and passes over what else is on its way there.
    @Test func aMessageForAMissingExchangeIsNotBlamedOnTheOthers() async throws {
        let (log, queue) = (RecordedLog(), TestBroker.unique("innocent"))
        var configuration = TestBroker.impatient("blame", at: try TestBroker.address())
        configuration.declarations = [
            .queue(Queue(name: .fixed(queue), lifetime: .durable, arguments: ["x-expires": .int(60_000)]))
        ]
        let client = try AMQPClient(configuration, logger: log.logger)
        let missing = TestBroker.unique("missing")
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            let outcomes = Collected<(exchange: String, outcome: PublishOutcome)>()
            for number in 0..<60 {
                let exchange = number == 30 ? missing : ""
                try client.publishConfirmed(Message(), exchange: exchange, routingKey: queue) {
                    outcomes.add((exchange, $0))
                }
            }
            try await eventually("all are settled") { outcomes.count == 60 }
            for (exchange, outcome) in outcomes.all {
                if exchange == missing {
                    #expect(outcome.error?.kind == .channelClosed(code: 404))
                    #expect(outcome.error?.message.contains(missing) == true)
                } else {
                    #expect(outcome.isAccepted || outcome.error?.kind == .connectionLost)
                }
            }
            #expect(try await publishConfirmed(to: queue, over: client).isAccepted)
            #expect(client.isConnected)
        }
        #expect(log.lines.filter { $0.contains("A message was refused") }.count == 1)
    }

    /// What is wrong with one consumer is told, and tried again, while everything else goes on.
    @Test func aDeclarationThatIsRefusedIsNamedAndHarmsNobodyElse() async throws {
        let queue = TestBroker.unique("declared")
        let log = RecordedLog()
        let client = try AMQPClient(TestBroker.impatient("refused", at: try TestBroker.address()), logger: log.logger)
        let first = Queue(name: .fixed(queue), lifetime: .durable, arguments: ["x-expires": .int(60_000)])
        let second = Queue(name: first.name, lifetime: .durable, arguments: ["x-max-length": .int(5)])
        let received = Collected<String>()
        client.addConsumer(
            Consumer(
                declarations: [.queue(first)], queue: first.name, prefetchCount: 10,
                onDelivery: { delivery in
                    received.add(delivery.routingKey)
                    client.acknowledge(delivery.token)
                }))
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            client.addConsumer(
                Consumer(declarations: [.queue(second)], queue: second.name, prefetchCount: 10, onDelivery: { _ in }))
            try await eventually("told") {
                log.lines.contains { $0.contains("refuses to declare the queue \(queue): 406 PRECONDITION_FAILED") }
            }
            #expect(try await publishConfirmed(to: queue, over: client).isAccepted)
            try await eventually("received") { received.count == 1 }
            #expect(client.isConnected)
        }
    }
}
