import AMQP
import Domain
import Logging
import NIOCore
import Testing

@testable import RPC

/// Events over the real broker that RABBIT names.
@Suite(.serialized) struct EventTests {
    private struct Refused: Error {}

    /// Names that no other test uses; the first word of an event is its service.
    private let service = TestBroker.unique("events").replacing(".", with: "-")
    private var queue: String { "\(service).queue" }

    private var quiet: Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    private func event(_ number: Int, _ name: String = "video.deleted") -> Event {
        Event(
            id: "\(service)/\(number)", name: "\(service).\(name)",
            payload: RPCPayload(
                contentType: RPCPayload.json, fields: ["number": .number(Int64(number))],
                body: ByteBuffer(string: "{\"number\":\(number)}")))
    }

    private func client() throws -> AMQPClient {
        try TestBroker.client("events", declarations: EventPublisher.declarations)
    }

    private func subscription(
        over amqp: AMQPClient, _ kind: EventSubscription.Kind? = nil, _ patterns: [String] = ["#"],
        _ handler: @escaping EventSubscription.Handler
    ) -> EventSubscription {
        EventSubscription(
            over: amqp, kind ?? .durable(queue: queue), patterns: patterns.map { "\(service).\($0)" }, logger: quiet,
            handler: handler)
    }

    private func publish(_ events: [Event], needsListener: Bool = true, over amqp: AMQPClient) async throws {
        let publisher = EventPublisher(over: amqp, service: service)
        for event in events {
            try await publisher.publish(event, needsListener: needsListener, deadline: .after(.seconds(10)))
        }
    }

    /// Deletes what outlives its connections.
    private func clear() async throws {
        for name in [queue, EventTopology.deadQueue(of: queue)] { try await BrokerControl.run(["delete_queue", name]) }
    }

    @Test func whatIsToldBeforeTheFirstListenerWaitsWhenTheTellerKnowsTheQueue() async throws {
        let amqp = try TestBroker.client(
            "events",
            declarations: EventSubscription.declarations(of: .durable(queue: queue), patterns: ["\(service).#"]))
        let received = Collected<Event>()
        try await withRunning([amqp]) {
            try await eventually("connected") { amqp.isConnected }
            try await publish([event(1)], over: amqp)
            try await withRunning([subscription(over: amqp) { received.add($0) }]) {
                try await eventually("received") { received.count == 1 }
            }
        }
        #expect(received.all == [event(1)])
        try await clear()
    }

    @Test func anEventReachesEveryQueueThatWantsItAsItWasTold() async throws {
        let amqp = try client()
        let (all, deleted) = (Collected<Event>(), Collected<Event>())
        let durable = subscription(over: amqp) { all.add($0) }
        let transient = subscription(over: amqp, .whileConnected(name: service), ["video.deleted"]) { deleted.add($0) }
        try await withRunning([amqp, durable, transient]) {
            try await eventually("receiving") {
                durable.isReceiving && transient.isReceiving && amqp.isConnected
            }
            try await publish([event(1), event(2, "video.updated"), event(3)], over: amqp)
            try await eventually("all") { all.count == 3 }
            try await eventually("deleted") { deleted.count == 2 }
            #expect(all.all.sorted { $0.id < $1.id } == [event(1), event(2, "video.updated"), event(3)])
            #expect(deleted.all.map(\.id).sorted() == [event(1).id, event(3).id])
        }
        try await clear()
    }

    @Test func whatWaitsForAListenerThatDoesNotKeepUpIsBounded() throws {
        let declared = EventSubscription.declarations(of: .whileConnected(name: service), patterns: ["x"])
        let queue = try #require(declared.compactMap { if case .queue(let queue) = $0 { queue } else { nil } }.first)
        #expect(queue.arguments["x-max-length"] == .int(10_000))
    }

    @Test func anEventWaitsForAServiceThatIsAway() async throws {
        let amqp = try client()
        let received = Collected<Event>()
        try await withRunning([amqp]) {
            let first = subscription(over: amqp) { received.add($0) }
            try await withRunning([first]) {
                try await eventually("receiving") { first.isReceiving && amqp.isConnected }
            }
            try await publish((1...20).map { event($0) }, over: amqp)
            #expect(received.count == 0)
            try await withRunning([subscription(over: amqp) { received.add($0) }]) {
                try await eventually("received") { received.count == 20 }
            }
        }
        #expect(Set(received.all.map(\.id)).count == 20)
        try await clear()
    }

    @Test func anEventThatCannotBeHandledIsPutAsideAndTheOthersGoOn() async throws {
        let amqp = try client()
        let (attempts, handled) = (Collected<Event>(), Collected<Event>())
        let poison = event(1)
        let subscription = subscription(over: amqp) { event in
            attempts.add(event)
            if event == poison { throw Refused() }
            handled.add(event)
        }
        try await withRunning([amqp, subscription]) {
            try await eventually("receiving") { subscription.isReceiving && amqp.isConnected }
            try await publish([poison, event(2)], over: amqp)
            try await eventually("the other") { handled.count == 1 }
            let dead = EventTopology.deadQueue(of: queue)
            try await eventually("put aside", within: .seconds(20)) {
                try await amqp.inspectQueue(dead)?.readyMessages == 1
            }
            #expect(attempts.all.count { $0 == poison } == EventSubscription.deliveryLimit)
            #expect(handled.all == [event(2)])
        }
        try await clear()
    }

    @Test func aMessageThatIsNoEventIsPutAside() async throws {
        let amqp = try client()
        let subscription = subscription(over: amqp) { _ in Issue.record("handled") }
        try await withRunning([amqp, subscription]) {
            try await eventually("receiving") { subscription.isReceiving && amqp.isConnected }
            try amqp.publishConfirmed(Message(), exchange: EventTopology.exchange, routingKey: "\(service).x") { _ in }
            let dead = EventTopology.deadQueue(of: queue)
            try await eventually("put aside") { try await amqp.inspectQueue(dead)?.readyMessages == 1 }
        }
        try await clear()
    }

    @Test func anEventThatNobodyWantsIsAnErrorOnlyWhereSomebodyMust() async throws {
        let amqp = try client()
        try await withRunning([amqp]) {
            try await eventually("connected") { amqp.isConnected }
            try await publish([event(1)], needsListener: false, over: amqp)
            let error = await #expect(throws: ServiceError.self) { try await publish([event(2)], over: amqp) }
            #expect(error?.code == .unavailable)
        }
        let error = await #expect(throws: ServiceError.self) { try await publish([event(3)], over: amqp) }
        #expect(error?.code == .unavailable)
    }
}
