internal import NIOCore

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

/// How events travel.
public enum EventTopology {
    /// Every event; the routing key is its name.
    public static let exchange = "millrace.events"
    /// Events that could not be handled; the routing key is the queue that holds them.
    public static let deadExchange = "millrace.dead"

    /// The queue of the events that a queue could not get handled.
    public static func deadQueue(of queue: String) -> String { "\(queue).dead" }
}
