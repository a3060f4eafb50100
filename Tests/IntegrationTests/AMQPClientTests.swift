import AMQP
import NIOCore
import Synchronization
import TestKit
import Testing

/// Collects what handlers on other threads are given.
final class Collected<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])

    func add(_ element: Element) { elements.withLock { $0.append(element) } }
    var all: [Element] { elements.withLock { $0 } }
    var count: Int { elements.withLock { $0.count } }
}

/// Against the real broker that RABBIT names.
@Suite(.serialized) struct AMQPClientTests {
    private func queue(_ name: String, _ arguments: FieldTable = ["x-expires": .int(60_000)]) -> Declaration {
        .queue(Queue(name: .fixed(name), lifetime: .durable, arguments: arguments))
    }

    /// Publishes with a confirm and waits for the outcome.
    private func publish(
        _ message: Message, exchange: String = "", to key: String, over client: AMQPClient
    ) async throws -> PublishOutcome {
        try await withCheckedThrowingContinuation { continuation in
            do {
                try client.publishConfirmed(message, exchange: exchange, routingKey: key) {
                    continuation.resume(returning: $0)
                }
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    /// 131,064 bytes are one full body frame; the sizes around it and around two are where librabbitmq holds back the end
    /// of a message for 200 ms.
    @Test func bodiesOfEverySizeArriveAsTheyWereSent() async throws {
        let name = TestBroker.unique("sizes")
        let client = try TestBroker.client("sizes", declarations: [queue(name)])
        let received = Collected<Delivery>()
        client.addConsumer(
            Consumer(queue: .fixed(name), prefetchCount: 10) { delivery in
                received.add(delivery)
                client.acknowledge(delivery.token)
            })
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            var random = SeededRandom(seed: 1)
            for size in [0, 1, 131_063, 131_064, 131_065, 262_128, 262_144, 16 * 1_024 * 1_024] {
                let body = ByteBuffer(bytes: (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) })
                let properties = MessageProperties(
                    type: "size", contentType: "x/y", correlationID: "\(size)", headers: ["size": .int(Int64(size))])
                let before = received.count
                let outcome = try await publish(Message(properties: properties, body: body), to: name, over: client)
                guard case .accepted = outcome else {
                    Issue.record("\(size) bytes: \(outcome)")
                    return
                }
                try await eventually("\(size) bytes arrive") { received.count == before + 1 }
                let message = try #require(received.all.last).message
                #expect(message.body == body, "\(size) bytes")
                #expect(message.properties.headers.int("size") == Int64(size))
                #expect(message.properties.correlationID == "\(size)")
            }
        }
    }

    @Test func aMandatoryMessageWithoutQueueIsUnroutable() async throws {
        let returned = Collected<ReturnedMessage>()
        let client = try TestBroker.client("unroutable") { returned.add($0) }
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            let outcome = try await publish(Message(), to: TestBroker.unique("nowhere"), over: client)
            guard case .unroutable = outcome else {
                Issue.record("\(outcome)")
                return
            }
            // Without confirms it comes back whole.
            let message = Message(
                properties: MessageProperties(correlationID: "c", headers: ["a": .string("b")]),
                body: ByteBuffer(string: "hello"))
            let key = TestBroker.unique("nowhere")
            try client.publish(message, exchange: "", routingKey: key, isMandatory: true) { _ in }
            try await eventually("returned") { returned.count == 1 }
            #expect(returned.all[0].message == message)
            #expect(returned.all[0].code == 312)
            #expect(returned.all[0].routingKey == key)
        }
    }

    @Test func aFullQueueRefuses() async throws {
        let name = TestBroker.unique("full")
        let client = try TestBroker.client(
            "full",
            declarations: [
                queue(
                    name, ["x-max-length": .int(2), "x-overflow": .string("reject-publish"), "x-expires": .int(5_000)])
            ])
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            var outcomes: [String] = []
            for _ in 0..<4 { outcomes.append("\(try await publish(Message(), to: name, over: client))") }
            #expect(outcomes == ["accepted", "accepted", "rejected", "rejected"])
        }
    }

    @Test func aMissingExchangeIsNamedAndTheNextPublishWorks() async throws {
        let name = TestBroker.unique("exists")
        let client = try TestBroker.client("missing-exchange", declarations: [queue(name)])
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            let outcome = try await publish(Message(), exchange: "no.such.exchange", to: "k", over: client)
            guard case .failed(let error) = outcome else {
                Issue.record("\(outcome)")
                return
            }
            #expect(error.kind == .channelClosed(code: 404))
            #expect(error.message.contains("no.such.exchange"))
            guard case .accepted = try await publish(Message(), to: name, over: client) else {
                Issue.record("the channel was not opened again")
                return
            }
        }
    }

    @Test func noMoreThanThePrefetchIsUnacknowledged() async throws {
        let name = TestBroker.unique("prefetch")
        let client = try TestBroker.client("prefetch", declarations: [queue(name)])
        let received = Collected<Delivery>()
        client.addConsumer(Consumer(queue: .fixed(name), prefetchCount: 3) { received.add($0) })
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            for _ in 0..<10 { _ = try await publish(Message(), to: name, over: client) }
            try await eventually("three come") { received.count == 3 }
            try await Task.sleep(for: .milliseconds(200))
            #expect(received.count == 3)
            client.acknowledge(received.all[0].token)
            try await eventually("one more comes") { received.count == 4 }
            client.reject(received.all[1].token, requeue: true)
            try await eventually("the rejected one comes again") { received.all.contains { $0.isRedelivered } }
        }
    }

    @Test func aConsumerWhoseQueueIsDeletedComesBack() async throws {
        let name = TestBroker.unique("deleted")
        let client = try TestBroker.client("deleted")
        let (active, inactive, received) = (Collected<String>(), Collected<AMQPError>(), Collected<Delivery>())
        client.addConsumer(
            Consumer(
                declarations: [queue(name)], queue: .fixed(name), prefetchCount: 1,
                onDelivery: { received.add($0) }, onActive: { active.add($0) }, onInactive: { inactive.add($0) }))
        try await withRunning([client]) {
            try await eventually("active") { active.count == 1 }
            try await BrokerControl.run(["delete_queue", name])
            try await eventually("inactive") { inactive.count == 1 }
            try await eventually("active again") { active.count == 2 }
            _ = try await publish(Message(), to: name, over: client)
            try await eventually("receives again") { received.count == 1 }
        }
    }

    @Test func bothConnectionsComeBackAfterTheBrokerClosesThem() async throws {
        let name = TestBroker.unique("reconnect")
        let client = try TestBroker.client("reconnect")
        let (active, received) = (Collected<String>(), Collected<Delivery>())
        client.addConsumer(
            Consumer(
                declarations: [
                    queue(name), .queue(Queue(name: .generated(prefix: name), lifetime: .exclusive)),
                ], queue: .fixed(name), prefetchCount: 10,
                onDelivery: { delivery in
                    received.add(delivery)
                    client.acknowledge(delivery.token)
                }, onActive: { active.add($0) }))
        try await withRunning([client]) {
            for round in 1...3 {
                try await eventually("connected") { client.isConnected && active.count == round }
                guard case .accepted = try await publish(Message(), to: name, over: client) else {
                    Issue.record("round \(round): not accepted")
                    return
                }
                try await eventually("received") { received.count == round }
                if round < 3 {
                    try await BrokerControl.run(["close_all_connections", "test"])
                    try await eventually("noticed") { active.count == round + 1 }
                }
            }
        }
    }

    @Test func cancellingAConsumerHandsOverWhatWasOnItsWay() async throws {
        let name = TestBroker.unique("cancel")
        let client = try TestBroker.client("cancel", declarations: [queue(name)])
        let received = Collected<Delivery>()
        let consumer = client.addConsumer(Consumer(queue: .fixed(name), prefetchCount: 100) { received.add($0) })
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            for _ in 0..<50 {
                try client.publish(Message(), exchange: "", routingKey: name, isMandatory: false) { _ in }
            }
            try await eventually("some come") { received.count > 0 }
            await client.cancelConsumer(consumer)
            let count = received.count
            try await Task.sleep(for: .milliseconds(100))
            #expect(received.count == count)
            for delivery in received.all { client.reject(delivery.token, requeue: true) }
            try await eventually("all are back in the queue") {
                let status = try await client.inspectQueue(name)
                return status?.readyMessages == 50 && status?.consumers == 0
            }
        }
    }

    /// A connection has 2,047 channels, and each consumer one of them.
    @Test func consumersThatComeAndGoLeaveNoChannelBehind() async throws {
        let name = TestBroker.unique("come-and-go")
        let client = try TestBroker.client("come-and-go", declarations: [queue(name)])
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            for _ in 0..<2_100 {
                let consumer = client.addConsumer(Consumer(queue: .fixed(name), prefetchCount: 1) { _ in })
                await client.cancelConsumer(consumer)
            }
            let received = Collected<Delivery>()
            client.addConsumer(Consumer(queue: .fixed(name), prefetchCount: 1) { received.add($0) })
            try client.publish(Message(), exchange: "", routingKey: name, isMandatory: false) { _ in }
            try await eventually("the last one consumes") { received.count == 1 }
        }
    }

    @Test func aQueueThatDoesNotExistIsNil() async throws {
        let client = try TestBroker.client("inspect")
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            for _ in 0..<3 { #expect(try await client.inspectQueue(TestBroker.unique("none")) == nil) }
        }
    }

    @Test func aWrongPasswordIsRefusedAndNamed() async throws {
        let right = try TestBroker.address()
        let wrong = try BrokerAddress("amqp://millrace:wrong@\(right.hosts[0])/")
        var configuration = AMQPConfiguration(address: wrong, connectionName: "wrong")
        configuration.backoff = Backoff(first: .milliseconds(10), limit: .milliseconds(50))
        let logs = RecordedLog()
        let client = try AMQPClient(configuration, logger: logs.logger)
        try await withRunning([client]) {
            try await eventually("told") { logs.lines.contains { $0.contains("403") } }
            #expect(!client.isConnected)
            #expect(throws: AMQPError.self) {
                try client.publish(Message(), exchange: "", routingKey: "x", isMandatory: false) { _ in }
            }
            #expect(!logs.lines.contains { $0.contains("wrong@") || $0.contains(":wrong") })
        }
        // One outage, one warning a connection.
        #expect(logs.lines.filter { $0.hasPrefix("warning") }.count == 2)
    }
}
