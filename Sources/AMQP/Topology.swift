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
    /// Whether the broker's administrator may have made it with its bindings, and keeps us from doing so (``DeclarationMode``).
    public var mayBeProvided: Bool

    /// Makes the description of a queue.
    public init(name: QueueName, lifetime: Lifetime, arguments: FieldTable = [:], mayBeProvided: Bool = false) {
        self.name = name
        self.lifetime = lifetime
        self.arguments = arguments
        self.mayBeProvided = mayBeProvided
    }
}

/// What the broker says of a queue.
public struct QueueStatus: Sendable, Equatable {
    /// Messages that are ready for delivery.
    public let readyMessages: Int
    /// Consumers that receive from it.
    public let consumers: Int
}

/// What is done about things that have to exist.
///
/// A bare broker needs no set-up: whoever needs something makes it. Where the administrator has made what stays (exchanges,
/// and queues that ``Queue/mayBeProvided``) and lets no service change it, declaring it is refused (403), and looking at it is
/// enough. Which of the two a broker is shows with the first refusal.
enum DeclarationMode {
    case making
    case looking

    /// The mode to go on in when a declaration was refused.
    func after(_ error: AMQPError) -> DeclarationMode {
        switch error.kind {
        case .channelClosed(code: 403): .looking
        // What should have been provided is not there: perhaps it may be made by now.
        case .channelClosed(code: 404): .making
        default: self
        }
    }

    /// What the broker is asked for.
    ///
    /// - Parameters:
    ///   - declarations: What has to exist, in the order in which it has to be made.
    ///   - names: The names of the queues that have been declared, to which these are added.
    /// - Returns: The requests.
    func requests(for declarations: [Declaration], _ names: inout [QueueName: String]) -> [ChannelRequest] {
        let provided: Set<QueueName> =
            self == .making ? [] : Set(declarations.compactMap(\.queue).filter(\.mayBeProvided).map(\.name))
        var requests: [ChannelRequest] = []
        for declaration in declarations {
            switch declaration {
            case .exchange(let name, let kind):
                requests.append(self == .making ? .declareExchange(name, kind) : .inspectExchange(name))
            case .queue(let queue):
                let name = queue.name.made()
                names[queue.name] = name
                let isProvided = provided.contains(queue.name)
                requests.append(
                    isProvided ? .inspectQueue(name) : .declareQueue(name, queue.lifetime, queue.arguments))
            case .binding(let queue, let exchange, let routingKey):
                guard !provided.contains(queue) else { continue }
                let name = names[queue] ?? queue.text
                let key =
                    switch routingKey {
                    case .fixed(let key): key
                    case .queueName: name
                    }
                requests.append(.bindQueue(name, exchange: exchange, routingKey: key))
            }
        }
        return requests
    }
}

extension Declaration {
    fileprivate var queue: Queue? {
        guard case .queue(let queue) = self else { return nil }
        return queue
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
