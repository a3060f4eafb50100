import AMQP
import Logging
import NIOCore
import TestKit
import Testing

extension EndToEndTests {
    /// Messages in the request queues that no gateway sends.
    struct MalformedMessageTests {
        private static let queues = ["millrace.metadata.query", "millrace.metadata.command", "millrace.storage.read"]
        private static let replyQueue = "end-to-end.replies"

        @Test func workersRefuseWhatTheyCannotReadAndServeOn() async throws {
            try await TestStack.running { stack in
                let video = try await stack.putVideo(bytes: 600_000, seed: 31)
                let replies = Shared<[String: String]>([:])
                try await withClient(onReply: { id, status in replies.change { $0[id] = status } }) { client in
                    var expected: [String: String] = [:]
                    for queue in Self.queues {
                        for message in Self.unanswerable { try await publish(message, to: queue, client) }
                        for (name, status, message) in Self.answerable(queue) {
                            var message = message
                            let id = "\(queue)/\(name)"
                            message.properties.correlationID = id
                            message.properties.replyTo = Self.replyQueue
                            expected[id] = status
                            try await publish(message, to: queue, client)
                        }
                    }
                    try await eventually("every request that can be answered is") {
                        replies.value.count == expected.count
                    }
                    #expect(replies.value == expected)
                }
                let left = try await BrokerControl.messages()
                for queue in Self.queues { #expect(left[queue] == 0, "\(queue) still holds messages") }

                let refusals = [
                    (ServiceKind.metadata, Self.unanswerable.count - 2), (.storage, Self.unanswerable.count - 2),
                ]
                for (kind, count) in refusals {
                    let worker = try #require(stack.all(kind).first)
                    let queues = Self.queues.filter { $0.contains(kind == .metadata ? "metadata" : "storage") }.count
                    #expect(worker.process.exit == nil)
                    #expect(
                        worker.logLines(with: "correlation id is refused").count == count * queues, "\(worker.name)")
                }
                let whole = try await stack.ask(video.target)
                #expect(whole.status == 200)
                #expect(try video.opened().matches(whole.body, at: 0))
                #expect(whole.body.readableBytes == 600_000)
            }
        }

        /// Messages of which nobody can be told: all but the last two are refused, and for those nobody waits.
        private static let unanswerable: [Message] = {
            let garbage = ByteBuffer(repeating: 0xFF, count: 100_000)
            let huge = FieldTable([.init("padding", .string(String(repeating: "x", count: 100_000)))])
            return [
                Message(),
                Message(body: garbage),
                Message(properties: MessageProperties(type: "metadata.find.v1", correlationID: "1")),
                Message(properties: MessageProperties(type: "storage.read.v1", correlationID: "1", replyTo: "")),
                Message(properties: MessageProperties(correlationID: "1", replyTo: "nobody")),
                Message(properties: MessageProperties(type: "storage.stat.v1", replyTo: "nobody")),
                Message(properties: MessageProperties(headers: huge), body: garbage),
                Message(properties: MessageProperties(type: "metadata.list.v1", correlationID: "1", replyTo: "nobody")),
                Message(
                    properties: MessageProperties(
                        type: "storage.stat.v1", correlationID: "1", replyTo: "nobody", headers: huge)),
            ]
        }()

        /// Messages that are requests as far as the broker's properties go, with the status of the reply.
        private static func answerable(_ queue: String) -> [(name: String, status: String, message: Message)] {
            let method =
                switch queue {
                case "millrace.metadata.query": "metadata.find.v1"
                case "millrace.metadata.command": "metadata.create.v1"
                default: "storage.stat.v1"
                }
            func request(_ type: String, _ body: ByteBuffer, _ headers: FieldTable = [:]) -> Message {
                Message(properties: MessageProperties(type: type, headers: headers), body: body)
            }
            let bodies: [(String, ByteBuffer)] = [
                ("nothing", ByteBuffer()), ("zeros", ByteBuffer(repeating: 0, count: 70_000)),
                ("text", ByteBuffer(string: "\"id\"")), ("array", ByteBuffer(string: "[]")),
                ("object", ByteBuffer(string: "{}")), ("null", ByteBuffer(string: "{\"id\":null,\"key\":null}")),
                ("numbers", ByteBuffer(string: "{\"id\":1,\"key\":2,\"videoPath\":3}")),
                ("deep", ByteBuffer(string: String(repeating: "[", count: 100_000))),
                ("path", ByteBuffer(string: "{\"id\":\"x\",\"key\":\"../x\",\"videoPath\":\"../x\"}")),
            ]
            let huge = FieldTable([
                .init(String(repeating: "n", count: 128), .string(String(repeating: "x", count: 100_000)))
            ])
            var requests = bodies.map { ($0.0, "invalidArgument", request(method, $0.1)) }
            requests.append(("padded", "invalidArgument", request(method, ByteBuffer(string: "{}"), huge)))
            for type in ["storage.read.v99", "x", " ", String(repeating: "y", count: 255)] {
                requests.append((String(type.prefix(20)), "unimplemented", request(type, ByteBuffer())))
            }
            guard queue == "millrace.storage.read" else { return requests }
            let fields: [FieldTable] = [
                [:],
                ["key": .string("a"), "version": .string("b"), "index": .string("c"), "chunk-bytes": .string("d")],
                ["key": .string("../x"), "version": .string("00"), "index": .int(0), "chunk-bytes": .int(262_144)],
                ["key": .string("a"), "version": .string("?"), "index": .int(-1), "chunk-bytes": .int(.max)],
                ["key": .int(1), "version": .int(2), "index": .int(.max), "chunk-bytes": .int(262_144)],
            ]
            return requests
                + fields.enumerated().map {
                    ("read \($0)", "invalidArgument", request("storage.read.v1", ByteBuffer(), $1))
                }
        }

        /// A client that also receives replies, of both services.
        private func withClient(
            onReply: @escaping @Sendable (_ id: String, _ status: String) -> Void,
            _ work: (AMQPClient) async throws -> Void
        ) async throws {
            var logger = Logger(label: "end-to-end")
            logger.logLevel = .error
            let client = try AMQPClient(
                AMQPConfiguration(address: BrokerAddress(TestEnvironment.broker()), connectionName: "end-to-end"),
                logger: logger)
            let queue = QueueName.fixed(Self.replyQueue)
            let isReady = Shared(false)
            client.addConsumer(
                Consumer(
                    declarations: [.queue(Queue(name: queue, lifetime: .exclusive))]
                        + ["millrace.metadata.reply", "millrace.storage.reply"].map {
                            .binding(queue: queue, exchange: $0, routingKey: .queueName)
                        },
                    queue: queue, prefetchCount: 0, acknowledgement: .automatic,
                    onDelivery: { delivery in
                        let properties = delivery.message.properties
                        onReply(properties.correlationID ?? "", properties.headers.string("status") ?? "")
                    },
                    onActive: { _ in isReady.change { $0 = true } }))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await client.run() }
                defer { group.cancelAll() }
                try await eventually("a connection to the broker") {
                    client.isConnected && isReady.value
                }
                try await work(client)
            }
        }

        /// Publishes, and waits until the broker has taken it.
        private func publish(_ message: Message, to queue: String, _ client: AMQPClient) async throws {
            let outcome = try await withCheckedThrowingContinuation { continuation in
                do throws(AMQPError) {
                    try client.publishConfirmed(message, exchange: "\(queue).requests", routingKey: queue) {
                        continuation.resume(returning: $0)
                    }
                } catch {
                    continuation.resume(throwing: error)
                }
            }
            guard case .accepted = outcome else {
                Issue.record("the broker did not take a message: \(outcome)")
                return
            }
        }
    }
}
