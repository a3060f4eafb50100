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

extension Declaration {
    /// What the broker is asked for.
    ///
    /// - Parameter names: The names of the queues that have been declared, to which this one's is added.
    /// - Returns: The request.
    func request(_ names: inout [QueueName: String]) -> ChannelRequest {
        switch self {
        case .exchange(let name, let kind):
            return .declareExchange(name, kind)
        case .queue(let queue):
            let name = queue.name.made()
            names[queue.name] = name
            return .declareQueue(name, queue.lifetime, queue.arguments)
        case .binding(let queue, let exchange, let routingKey):
            let name = names[queue] ?? queue.text
            let key =
                switch routingKey {
                case .fixed(let key): key
                case .queueName: name
                }
            return .bindQueue(name, exchange: exchange, routingKey: key)
        }
    }
}

extension QueueName {
    /// The name, or what it begins with.
    var text: String {
        switch self {
        case .fixed(let name): name
        case .generated(let prefix): prefix
        }
    }

    /// The name for one connection.
    fileprivate func made() -> String {
        switch self {
        case .fixed(let name): return name
        case .generated(let prefix):
            let digits = String(UInt64.random(in: 0...UInt64.max), radix: 16)
            return "\(prefix).\(String(repeating: "0", count: 16 - digits.count))\(digits)"
        }
    }
}
