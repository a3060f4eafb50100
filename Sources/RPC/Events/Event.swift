internal import AMQP
public import Domain

/// A fact that others may want to know, told after it has become true: `metadata.video.deleted`.
public struct Event: Sendable, Equatable {
    /// Tells this fact from all others. An event may come more than once; whoever receives it knows by this.
    public var id: String
    /// What has happened: words joined by dots, the service first. Subscriptions choose by it.
    public var name: String
    /// What is told about it.
    public var payload: RPCPayload

    /// Makes an event.
    public init(id: String, name: String, payload: RPCPayload) {
        self.id = id
        self.name = name
        self.payload = payload
    }
}

/// Tells events.
public protocol EventPublishing: Sendable {
    /// Publishes an event.
    ///
    /// Guaranteed when it returns: the broker has taken the event over; in each durable queue that it was routed to it is on
    /// disk. Not guaranteed: that it was published once when this throws; it may have been.
    ///
    /// - Parameters:
    ///   - event: What has happened.
    ///   - needsListener: Whether it is an error when there is no queue that wants it.
    ///   - deadline: How long to wait for the broker's confirm.
    /// - Throws: `unavailable` (no connection, or no queue where one is needed), `overloaded` (a queue is full, the broker is
    ///   blocked), `deadlineExceeded`, `internal` (the broker refuses it).
    func publish(_ event: Event, needsListener: Bool, deadline: Deadline) async throws(ServiceError)
}

/// How events travel.
public enum EventTopology {
    /// Every event; the routing key is its name.
    public static let exchange = "millrace.events"
    /// What could not be handled; the routing key is the queue that holds it.
    public static let deadExchange = "millrace.dead"
    /// The most messages that are put aside for one queue; then the oldest make room.
    public static let maxDeadMessages = 10_000

    /// The queue of what a queue could not get handled.
    public static func deadQueue(of queue: String) -> String { "\(queue).dead" }

    /// What has to be declared for the dead letters of a queue.
    static func deadLetters(of queue: String, through exchange: String = deadExchange) -> [Declaration] {
        let dead = QueueName.fixed(deadQueue(of: queue))
        return [
            .exchange(name: exchange, kind: .direct),
            .queue(
                Queue(
                    name: dead, lifetime: .durable, arguments: ["x-max-length": .int(Int64(maxDeadMessages))],
                    mayBeProvided: true)),
            .binding(queue: dead, exchange: exchange, routingKey: .queueName),
        ]
    }
}
