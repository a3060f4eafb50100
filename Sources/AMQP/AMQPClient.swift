public import Logging
internal import NIOCore
public import ServiceLifecycle
internal import Synchronization

/// A client of one RabbitMQ broker: publishes, consumes, and comes back by itself when the connection breaks.
///
/// It holds two connections: one consumes and acknowledges, the other publishes. So a broker that takes no messages
/// (back-pressure, a memory alarm) never keeps this process from receiving. Both live on one thread, where nothing waits
/// for the network; and no thread of Swift's pool ever does.
///
/// Guaranteed: handlers and outcomes are called exactly once; every wait has a limit from ``AMQPConfiguration``; queues,
/// bindings, prefetch and consumers are made again after a break. Not guaranteed: that a message is delivered once. What
/// was not acknowledged before a break comes again, and of a publish that had not been confirmed nobody knows.
public final class AMQPClient: Service {
    private let thread: ConnectionThread
    private let consuming: ConnectionLink<ConsumerRole>
    private let publishing: ConnectionLink<PublisherRole>
    private let configuration: AMQPConfiguration
    private let logger: Logger
    private let lastConsumer = Atomic<UInt64>(0)

    /// Makes a client. It connects when it is run.
    ///
    /// - Parameters:
    ///   - configuration: Where the broker is, and the limits.
    ///   - logger: Where breaks and refusals are told.
    ///   - onReturned: Gets the mandatory messages, published without confirms, that no queue took. Called on the
    ///     publishing thread; must not block.
    /// - Throws: `invalidConfiguration` when no file descriptor is left.
    public init(
        _ configuration: AMQPConfiguration,
        logger: Logger,
        onReturned: @escaping @Sendable (ReturnedMessage) -> Void = { _ in }
    ) throws(AMQPError) {
        self.configuration = configuration
        self.logger = logger
        let order = HostOrder(configuration.address.hosts)
        let thread = try ConnectionThread()
        self.thread = thread
        consuming = ConnectionLink(
            name: "consume", configuration: configuration, order: order, doorbell: thread.doorbell, logger: logger
        ) { _ in
            ConsumerRole(backoff: configuration.backoff, logger: logger)
        }
        publishing = ConnectionLink(
            name: "publish", configuration: configuration, order: order, doorbell: thread.doorbell, logger: logger
        ) { status in
            PublisherRole(
                declarations: configuration.declarations, status: status, logger: logger, onReturned: onReturned)
        }
    }

    /// Runs tasks on the thread of the connections: `withTaskExecutorPreference(client.executor)`.
    ///
    /// For tasks that do little between one message and the next: they are spared two changes of threads for each. They
    /// share the thread with the connections, so nothing there may block or compute for long (milliseconds, not more). While
    /// the client does not run, they run on Swift's own pool.
    public var executor: any TaskExecutor { thread }

    /// Connects and serves until the task is cancelled or a graceful shutdown begins; then writes what is waiting, says
    /// goodbye and returns. Called once.
    public func run() async throws {
        thread.start { [consuming, publishing] in [consuming.driver(), publishing.driver()] }
        // Ends with the shutdown, or with the task's cancellation.
        try? await gracefulShutdown()
        await publishing.stop()
        await consuming.stop()
        await thread.ended()
    }

    // MARK: State

    /// Whether both connections are up.
    public var isConnected: Bool { consuming.status.isUp && publishing.status.isUp }

    /// The broker's reason for taking no messages now (a memory or disk alarm), if it gave one.
    public var blockedReason: String? { publishing.status.blockedReason }

    // MARK: Consuming

    /// Begins to consume, now or as soon as there is a connection, and again after each break.
    @discardableResult
    public func addConsumer(_ consumer: Consumer) -> Consumer.ID {
        let id = Consumer.ID(number: lastConsumer.add(1, ordering: .relaxed).newValue)
        try? consuming.mailbox.put(.add(id, consumer), bytes: 0)
        return id
    }

    /// Stops consuming. When it returns, every delivery that the broker had sent has been given to the consumer; each
    /// of them can still be acknowledged.
    public func cancelConsumer(_ id: Consumer.ID) async {
        await withCheckedContinuation { continuation in
            do throws(AMQPError) {
                try consuming.mailbox.put(.cancel(id, done: { continuation.resume() }), bytes: 0)
            } catch {
                continuation.resume()  // Shut down: nothing is consumed any more.
            }
        }
    }

    /// Tells the broker that a delivery is done with. Does not wait; a stale token is ignored.
    public func acknowledge(_ token: DeliveryToken) {
        try? consuming.mailbox.put(.acknowledge(token), bytes: 0)
    }

    /// Gives a delivery back.
    ///
    /// - Parameters:
    ///   - token: Which delivery.
    ///   - requeue: Whether the broker shall deliver it again; otherwise it is dropped, or dead-lettered where the queue
    ///     says so.
    ///   - delay: How long to keep it before it is given back (to about 1 s); a connection that breaks meanwhile gives
    ///     it back at once.
    public func reject(_ token: DeliveryToken, requeue: Bool, after delay: Duration = .zero) {
        let notBefore = delay > .zero ? ContinuousClock.now + delay : nil
        try? consuming.mailbox.put(.reject(token, requeue: requeue, notBefore: notBefore), bytes: 0)
    }

    /// Looks at a queue. Ends when the task is cancelled; what the broker says after that is dropped.
    ///
    /// - Returns: What the broker says, or `nil` when there is no such queue.
    /// - Throws: `unreachable` or `connectionLost` while there is no connection, `channelClosed` when it is not allowed,
    ///   `closed` when the task was cancelled.
    public func inspectQueue(_ name: String) async throws(AMQPError) -> QueueStatus? {
        guard consuming.status.isUp else {
            throw AMQPError(.unreachable, "There is no connection to the broker at \(configuration.address).")
        }
        let look = QueueLook()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                look.wait(continuation)
                do throws(AMQPError) {
                    try consuming.mailbox.put(.inspect(queue: name, answer: { look.end($0) }), bytes: 0)
                } catch {
                    look.end(.failure(error))
                }
            }
        } onCancel: {
            look.end(.failure(AMQPError(.closed, "The look at the queue \(name) was cancelled.")))
        }
        return try result.get()
    }

    // MARK: Publishing

    /// Publishes without confirms: the outcome is `accepted` once the message has been written to the socket. It may
    /// still be lost with the connection, with the broker, or behind a message that makes the broker close the channel.
    ///
    /// - Parameters:
    ///   - message: The message.
    ///   - exchange: Where it goes; the empty name is the default exchange, which routes by queue name.
    ///   - routingKey: How it is routed.
    ///   - isMandatory: Whether it comes back (to `onReturned`) when no queue takes it.
    ///   - onOutcome: How it ended. Called once, on the publishing thread; must not block.
    /// - Throws: `mailboxFull`, `blocked`, `unreachable`, `closed`, or `invalidConfiguration` for a message over the
    ///   limits, at once; then `onOutcome` is not called.
    public func publish(
        _ message: Message, exchange: String, routingKey: String, isMandatory: Bool,
        onOutcome: @escaping @Sendable (PublishOutcome) -> Void
    ) throws(AMQPError) {
        try put(
            PublishCommand(
                message: message, exchange: exchange, routingKey: routingKey, isMandatory: isMandatory,
                isConfirmed: false, onOutcome: onOutcome))
    }

    /// Publishes as mandatory and with confirms: the outcome tells whether the broker has taken the message over. For a
    /// persistent message to a durable queue that means it is on disk.
    ///
    /// - Parameters:
    ///   - message: The message.
    ///   - exchange: Where it goes.
    ///   - routingKey: How it is routed.
    ///   - onOutcome: How it ended. Called once, on the publishing thread; must not block.
    /// - Throws: `mailboxFull`, `blocked`, `unreachable`, `closed`, or `invalidConfiguration` for a message over the
    ///   limits, at once; then `onOutcome` is not called.
    public func publishConfirmed(
        _ message: Message, exchange: String, routingKey: String,
        onOutcome: @escaping @Sendable (PublishOutcome) -> Void
    ) throws(AMQPError) {
        try put(
            PublishCommand(
                message: message, exchange: exchange, routingKey: routingKey, isMandatory: true, isConfirmed: true,
                onOutcome: onOutcome))
    }

    private func put(_ command: PublishCommand) throws(AMQPError) {
        guard publishing.status.isUp else {
            throw AMQPError(.unreachable, "There is no connection to the broker at \(configuration.address).")
        }
        if let reason = publishing.status.blockedReason {
            throw AMQPError(.blocked, "The broker takes no messages now: \(reason).")
        }
        guard command.message.body.readableBytes <= configuration.maxBodyBytes else {
            throw AMQPError(
                .invalidConfiguration,
                "A body of \(command.message.body.readableBytes) bytes is over the limit of \(configuration.maxBodyBytes)."
            )
        }
        if let fault = command.fault {
            throw AMQPError(.invalidConfiguration, "The message cannot be sent: \(fault).")
        }
        try publishing.mailbox.put(command, bytes: command.weight)
    }
}
