/// Something that has to exist at the broker. Declaring it again with the same arguments changes nothing.
public enum Declaration: Sendable {
    /// An exchange that survives a restart of the broker.
    case exchange(name: String, kind: ExchangeKind)
    /// A queue.
    case queue(Queue)
    /// Messages with this key go from the exchange to the queue.
    case binding(queue: QueueName, exchange: String, routingKey: RoutingKey)
}

/// How an exchange routes.
public enum ExchangeKind: String, Sendable {
    /// By equal routing key.
    case direct
    /// By a pattern of words.
    case topic
    /// To every bound queue.
    case fanout
}

/// The name of a queue.
public enum QueueName: Sendable, Hashable {
    /// Always the same.
    case fixed(String)
    /// The prefix and a random part that is new for each connection. For exclusive queues: after a broken connection
    /// the broker may still hold the old queue for a while, and nobody else may use its name as long.
    case generated(prefix: String)
}

/// The key of a binding.
public enum RoutingKey: Sendable, Hashable {
    /// Just this.
    case fixed(String)
    /// The name of the queue, whatever it turns out to be.
    case queueName
}

/// A queue to declare.
public struct Queue: Sendable {
    /// How long the queue lives.
    public enum Lifetime: Sendable {
        /// Survives a restart of the broker.
        case durable
        /// Belongs to the connection that declares it and goes with it.
        case exclusive
    }

    /// Its name.
    public var name: QueueName
    /// How long it lives.
    public var lifetime: Lifetime
    /// RabbitMQ's `x-…` arguments.
    public var arguments: FieldTable

    /// Makes the description of a queue.
    public init(name: QueueName, lifetime: Lifetime, arguments: FieldTable = [:]) {
        self.name = name
        self.lifetime = lifetime
        self.arguments = arguments
    }
}

/// What the broker says of a queue.
public struct QueueStatus: Sendable, Equatable {
    /// Messages that are ready for delivery.
    public let readyMessages: Int
    /// Consumers that receive from it.
    public let consumers: Int
}
