/// Who receives messages from a queue, and how many at once.
///
/// The handlers run on the connection's own thread: they must hand over and return, and never block. For one
/// consumer they are called in order, never two at a time.
public struct Consumer: Sendable {
    /// Tells consumers of one client apart.
    public struct ID: Hashable, Sendable {
        let number: UInt64
    }

    /// What is declared before consuming starts, each time a connection is made.
    public var declarations: [Declaration]
    /// The queue to consume from; a generated name refers to the queue of that prefix among the declarations.
    public var queue: QueueName
    /// How many deliveries may be unacknowledged at once: the bound on what this process holds of the queue. With
    /// ``acknowledgement`` `automatic` the broker ignores it.
    public var prefetchCount: UInt16
    /// Who says that a delivery is done with.
    public var acknowledgement: Acknowledgement
    /// A message has come.
    public var onDelivery: @Sendable (Delivery) -> Void
    /// Consuming has (again) begun, from the queue of this name.
    public var onActive: @Sendable (_ queueName: String) -> Void
    /// Consuming has stopped: the connection broke, or the queue is gone. It is begun again by itself.
    public var onInactive: @Sendable (AMQPError) -> Void
    /// Consuming could not begin, since the broker refuses a part of it. It is tried again by itself.
    public var onRefused: @Sendable (AMQPError) -> Void

    /// Who says that a delivery is done with.
    public enum Acknowledgement: Sendable {
        /// The receiver, through ``AMQPClient/acknowledge(_:)``; what it has not acknowledged is delivered again.
        case explicit
        /// The broker, as soon as it has sent it: at most once.
        case automatic
    }

    /// Makes a consumer.
    public init(
        declarations: [Declaration] = [],
        queue: QueueName,
        prefetchCount: UInt16,
        acknowledgement: Acknowledgement = .explicit,
        onDelivery: @escaping @Sendable (Delivery) -> Void,
        onActive: @escaping @Sendable (_ queueName: String) -> Void = { _ in },
        onInactive: @escaping @Sendable (AMQPError) -> Void = { _ in },
        onRefused: @escaping @Sendable (AMQPError) -> Void = { _ in }
    ) {
        self.declarations = declarations
        self.queue = queue
        self.prefetchCount = prefetchCount
        self.acknowledgement = acknowledgement
        self.onDelivery = onDelivery
        self.onActive = onActive
        self.onInactive = onInactive
        self.onRefused = onRefused
    }
}
