import AMQP
import NIOCore
import Synchronization
import TestKit
import Testing

/// A client of a broker that speaks AMQP and does not keep to its rules.
@Suite(.serialized, .timeLimit(.minutes(1))) struct MisbehavingBrokerTests {
    private func client(_ broker: FakeBroker, _ log: RecordedLog = RecordedLog()) throws -> AMQPClient {
        try AMQPClient(
            TestBroker.impatient("fake", at: try TestBroker.address(port: broker.port)), logger: log.logger)
    }

    @Test func aBrokerThatBehavesTakesMessagesOfManySizes() async throws {
        let broker = try await FakeBroker.start()
        let client = try client(broker)
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            for size in [0, 1, 131_064, 300_000] {
                let message = Message(body: ByteBuffer(repeating: 1, count: size))
                #expect(try await publishConfirmed(message, to: "q", over: client).isAccepted)
            }
        }
        await broker.close()
        #expect(broker.connectionCount == 2)
    }

    @Test func aBrokerThatSaysNothingIsGivenUpAfterTheReplyTime() async throws {
        let broker = try await FakeBroker.start(.init(answer: { $0.method == .channelOpen ? [] : nil }))
        let log = RecordedLog()
        var configuration = TestBroker.impatient("silent", at: try TestBroker.address(port: broker.port))
        // So that it is the reply time that ends it.
        configuration.heartbeatSeconds = 10
        configuration.replySeconds = 1
        let client = try AMQPClient(configuration, logger: log.logger)
        try await withRunning([client]) {
            try await eventually("given up", within: .seconds(5)) {
                log.lines.contains { $0.contains("open a channel") }
            }
            #expect(!client.isConnected)
        }
        await broker.close()
    }

    /// A broker may take seconds for one declaration, say of a queue whose nodes have to agree.
    @Test func nobodyWaitsForAnAnswerThatAnotherIsOwed() async throws {
        // It answers no declaration, and a look at a queue is one.
        let broker = try await FakeBroker.start()
        var configuration = TestBroker.impatient("owed", at: try TestBroker.address(port: broker.port))
        configuration.replySeconds = 2
        configuration.heartbeatSeconds = 10
        let client = try AMQPClient(configuration, logger: RecordedLog().logger)
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            let answers = Collected<Result<QueueStatus?, AMQPError>>()
            async let looked: Void = answers.add(Self.look(at: "q", over: client))
            try await eventually("asked") { broker.requests.contains { $0.method == .init(50, 10) } }
            for _ in 0..<20 { #expect(try await publishConfirmed(to: "q", over: client).isAccepted) }
            #expect(answers.count == 0)
            await looked
            guard case .failure(let error)? = answers.all.first else {
                Issue.record("it was answered")
                return
            }
            #expect(error.kind == .connectionLost && error.message.contains("look at the queue q"))
            try await eventually("connected again") { client.isConnected }
        }
        await broker.close()
    }

    @Test func aLookThatIsCancelledEndsAtOnce() async throws {
        // It answers no declaration, and a look at a queue is one.
        let broker = try await FakeBroker.start()
        var configuration = TestBroker.impatient("cancelled", at: try TestBroker.address(port: broker.port))
        (configuration.replySeconds, configuration.heartbeatSeconds) = (30, 30)
        let client = try AMQPClient(configuration, logger: RecordedLog().logger)
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            let looking = Task { await Self.look(at: "q", over: client) }
            try await eventually("asked") { broker.requests.contains { $0.method == .init(50, 10) } }
            looking.cancel()
            let took = try await time {
                guard case .failure(let error) = await looking.value else { throw Unexpected() }
                #expect(error.kind == .closed)
            }
            #expect(took < .seconds(10))
        }
        await broker.close()
    }

    private struct Unexpected: Error {}

    private static func look(at queue: String, over client: AMQPClient) async -> Result<QueueStatus?, AMQPError> {
        do throws(AMQPError) {
            return .success(try await client.inspectQueue(queue))
        } catch {
            return .failure(error)
        }
    }

    @Test func anAnswerToNothingEndsTheConnectionWithAReason() async throws {
        let log = RecordedLog()
        let broker = try await FakeBroker.start(
            .init(afterConsume: { [AMQPFrame.method(.qosOk, channel: $0.channel)] }))
        let client = try client(broker, log)
        client.addConsumer(Consumer(queue: .fixed("q"), prefetchCount: 1, onDelivery: { _ in }))
        try await withRunning([client]) {
            try await eventually("told") { log.lines.contains { $0.contains("where it was asked for nothing") } }
        }
        await broker.close()
    }

    @Test func aBrokerThatDoesNotSayGoodbyeIsLeftAllTheSame() async throws {
        let broker = try await FakeBroker.start(.init(answer: { $0.method == .close ? [] : nil }))
        let client = try client(broker)
        let took = try await time {
            try await withRunning([client]) {
                try await eventually("connected") { client.isConnected }
                #expect(try await publishConfirmed(to: "q", over: client).isAccepted)
            }
        }
        // Five seconds for each connection.
        #expect(took < .seconds(12))
        await broker.close()
    }

    @Test func aProgramThatIsNoBrokerIsNamed() async throws {
        let broker = try await FakeBroker.start(
            .init(answer: { _ in [Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)] }))
        let log = RecordedLog()
        let client = try client(broker, log)
        try await withRunning([client]) {
            try await eventually("told") { log.lines.filter { $0.contains("No login at amqp://guest@127") }.count >= 6 }
            #expect(!client.isConnected)
        }
        await broker.close()
    }

    /// The frame size is the broker's to choose. A body that fills its last frame is held back by librabbitmq, whatever
    /// the size is; what is held back comes after 200 ms.
    @Test func nothingIsHeldBackWhereFramesAreSmall() async throws {
        var script = FakeBroker.Script()
        script.maxFrameBytes = 4_096
        let broker = try await FakeBroker.start(script)
        let client = try client(broker)
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            for size in [0, 4_087, 4_088, 4_089, 8_176, 131_064] {
                let message = Message(body: ByteBuffer(repeating: 1, count: size))
                var best = Duration.seconds(10)
                for _ in 0..<5 {
                    let took = try await time {
                        let isAccepted = try await publishConfirmed(message, to: "q", over: client).isAccepted
                        #expect(isAccepted)
                    }
                    best = min(best, took)
                }
                #expect(best < .milliseconds(150), "\(size) bytes: \(best)")
            }
        }
        await broker.close()
    }

    @Test func aConfirmOnAnotherChannelConfirmsNothing() async throws {
        let broker = try await FakeBroker.start(
            .init(answer: { request in
                request.method == .ack
                    ? [AMQPFrame.method(.ack, channel: 1, AMQPFrame.bytes(UInt64(1)) + [0])] : nil
            }))
        let client = try client(broker)
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            let outcome = try await publishConfirmed(to: "q", over: client)
            #expect(outcome.error?.kind == .protocolViolation)
        }
        await broker.close()
    }

    @Test func aChannelThatIsClosedInAnswerToACancelEndsTheCancelOnce() async throws {
        let close = AMQPFrame.short("gone") + [0, 0, 0, 0]
        let broker = try await FakeBroker.start(
            .init(answer: { request in
                request.method == .cancel
                    ? [AMQPFrame.method(.channelClose, channel: request.channel, [1, 148] + close)] : nil
            }))
        let client = try client(broker)
        let active = Collected<String>()
        let consumer = client.addConsumer(
            Consumer(queue: .fixed("q"), prefetchCount: 1, onDelivery: { _ in }, onActive: { active.add($0) }))
        try await withRunning([client]) {
            try await eventually("active") { active.count == 1 }
            await client.cancelConsumer(consumer)
            // What is cancelled does not come back.
            try await Task.sleep(for: .milliseconds(500))
            #expect(active.count == 1)
        }
        await broker.close()
    }

    @Test func aConsumerMayBeCancelledTwiceAtOnce() async throws {
        let broker = try await FakeBroker.start()
        let client = try client(broker)
        let active = Collected<String>()
        let consumer = client.addConsumer(
            Consumer(queue: .fixed("q"), prefetchCount: 1, onDelivery: { _ in }, onActive: { active.add($0) }))
        try await withRunning([client]) {
            try await eventually("active") { active.count == 1 }
            let ended = Collected<Int>()
            let cancels = (0..<20).map { number in
                Task {
                    await client.cancelConsumer(consumer)
                    ended.add(number)
                }
            }
            try await eventually("every cancel returns") { ended.count == 20 }
            for cancel in cancels { cancel.cancel() }
        }
        await broker.close()
    }

    /// A connection has 2,047 channels here, and one of them is for looks at queues.
    @Test func aConsumerThatIsOneTooManyIsRefusedAlone() async throws {
        let broker = try await FakeBroker.start()
        var configuration = TestBroker.impatient("many", at: try TestBroker.address(port: broker.port))
        // It answers one thing after the other, and is asked for thousands.
        configuration.heartbeatSeconds = 30
        configuration.replySeconds = 30
        let client = try AMQPClient(configuration, logger: RecordedLog().logger)
        let (active, refused) = (Collected<String>(), Collected<AMQPError>())
        for _ in 0..<2_047 {
            client.addConsumer(
                Consumer(
                    queue: .fixed("q"), prefetchCount: 1, onDelivery: { _ in }, onActive: { active.add($0) },
                    onRefused: { refused.add($0) }))
        }
        try await withRunning([client]) {
            try await eventually("all others are active", within: .seconds(30)) { active.count == 2_046 }
            #expect(refused.count > 0)
            #expect(refused.all.allSatisfy { $0.kind == .invalidConfiguration && $0.message.contains("2047 channels") })
            #expect(client.isConnected)
        }
        await broker.close()
        #expect(broker.connectionCount == 2)
    }

    /// What librabbitmq cannot write would break the connection for everyone who uses it.
    @Test(arguments: ["type", "correlation id", "routing key", "header name", "headers"])
    func whatCannotBeWrittenIsRefusedAtOnceAndTheConnectionStays(_ what: String) async throws {
        let broker = try await FakeBroker.start()
        let client = try client(broker)
        let long = String(repeating: "x", count: 256)
        var properties = MessageProperties()
        switch what {
        case "type": properties.type = long
        case "correlation id": properties.correlationID = long
        case "header name": properties.headers[long] = .int(1)
        case "headers": properties.headers["a"] = .string(String(repeating: "x", count: 131_072))
        default: break
        }
        let (message, key) = (Message(properties: properties), what == "routing key" ? long : "q")
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            let error = #expect(throws: AMQPError.self) {
                try client.publish(message, exchange: "", routingKey: key, isMandatory: false) { _ in }
            }
            #expect(error?.kind == .invalidConfiguration)
            #expect(throws: AMQPError.self) {
                try client.publishConfirmed(message, exchange: "", routingKey: key) { _ in }
            }
            #expect(try await publishConfirmed(to: "q", over: client).isAccepted)
        }
        await broker.close()
        #expect(broker.connectionCount == 2)
    }
}
