public import AMQP
internal import Domain
public import Logging
internal import Metrics
public import ServiceLifecycle
internal import Synchronization

/// Receives events and has them handled.
///
/// Guaranteed with a ``Kind/durable(queue:)`` subscription: an event that was published after the queue was first declared
/// is handled at least once, or, when that has failed ``deliveryLimit`` times, kept in the queue's dead-letter queue. Not
/// guaranteed: order, and that it comes once; handlers must bear repetition (``Event/id``).
public final class EventSubscription: Service {
    /// How long events are kept for.
    public enum Kind: Sendable, Hashable {
        /// A quorum queue that stays: its events wait while nobody listens, and processes that name it share them.
        case durable(queue: String)
        /// A queue of this process alone, for as long as it is connected: what is told meanwhile is not told later. It
        /// holds the last 10,000 events; older ones are lost to who does not keep up.
        case whileConnected(name: String)
    }

    /// Handles an event. What it throws is logged; the event comes again after a second.
    public typealias Handler = @Sendable (Event) async throws -> Void

    /// How often an event is tried before it is put aside.
    public static let deliveryLimit = 5
    /// How many events wait for a process that does not keep up.
    private static let longestBacklog = 10_000
    /// How many events are handled at once.
    public static let maxConcurrentEvents: UInt16 = 16
    /// How long what is being handled at a shutdown may take, in seconds.
    private static let drainSeconds = 10
    private static let pauseBeforeRetry = Duration.seconds(1)

    private let amqp: AMQPClient
    private let kind: Kind
    private let patterns: [String]
    private let logger: Logger
    private let handler: Handler
    private let isActive = Atomic<Bool>(false)

    /// Makes a subscription. It begins to receive when it is run.
    ///
    /// - Parameters:
    ///   - amqp: The connections to the broker.
    ///   - kind: How long events are kept for.
    ///   - patterns: Which events, by name; `*` is any word, `#` any number of words.
    ///   - logger: Where failures are told.
    ///   - handler: Handles one event.
    public init(
        over amqp: AMQPClient, _ kind: Kind, patterns: [String], logger: Logger, handler: @escaping Handler
    ) {
        self.amqp = amqp
        self.kind = kind
        self.patterns = patterns
        self.logger = logger
        self.handler = handler
    }

    /// Whether events can come.
    public var isReceiving: Bool { isActive.load(ordering: .relaxed) }

    /// Receives until the task is cancelled or a graceful shutdown begins; then takes no more, and waits for what is being
    /// handled. What has not been begun goes back to the queue when the connection closes.
    public func run() async throws {
        // Bounded by the prefetch: the broker sends no more until something is acknowledged.
        let (deliveries, inbox) = AsyncStream.makeStream(of: Delivery.self, bufferingPolicy: .unbounded)
        let id = amqp.addConsumer(consumer { inbox.yield($0) })
        await withTaskGroup { group in
            group.addTask { await self.handle(deliveries) }
            group.addTask {
                try? await gracefulShutdown()
                await self.amqp.cancelConsumer(id)
                inbox.finish()
                try? await Task.sleep(for: .seconds(Self.drainSeconds))
            }
            await group.next()
            group.cancelAll()
        }
    }

    private func handle(_ deliveries: AsyncStream<Delivery>) async {
        await withDiscardingTaskGroup { group in
            for await delivery in deliveries {
                group.addTask { await self.handle(delivery) }
            }
        }
    }

    private func handle(_ delivery: Delivery) async {
        let properties = delivery.message.properties
        guard let id = properties.messageID, let name = properties.type else {
            Counter(label: "millrace_events_malformed_total").increment()
            logger.warning(
                "A message that is no event is put aside", metadata: ["routing_key": "\(delivery.routingKey)"])
            return amqp.reject(delivery.token, requeue: false)
        }
        do {
            try await handler(Event(id: id, name: name, payload: delivery.message.payload))
            amqp.acknowledge(delivery.token)
            Counter(label: "millrace_events_handled_total", dimensions: [("event", name)]).increment()
        } catch {
            Counter(label: "millrace_events_failed_total", dimensions: [("event", name)]).increment()
            logger.warning(
                "An event could not be handled and comes again",
                metadata: ["event": "\(name)", "id": "\(id)", "error": "\(error)"])
            amqp.reject(delivery.token, requeue: true, after: Self.pauseBeforeRetry)
        }
    }

    private func consumer(_ onDelivery: @escaping @Sendable (Delivery) -> Void) -> Consumer {
        Consumer(
            declarations: Self.declarations(of: kind, patterns: patterns), queue: Self.queue(of: kind).name,
            prefetchCount: Self.maxConcurrentEvents, onDelivery: onDelivery,
            onActive: { _ in self.isActive.store(true, ordering: .relaxed) },
            onInactive: { _ in self.isActive.store(false, ordering: .relaxed) })
    }

    /// What has to exist at the broker for a subscription.
    ///
    /// A service that tells events which must not be lost declares the durable queues of those who need them, too: an event
    /// that was told before the listener's first start waits there, instead of going nowhere.
    ///
    /// - Parameters:
    ///   - kind: How long events are kept for.
    ///   - patterns: Which events, by name.
    /// - Returns: Exchanges, queues and bindings, in the order in which they have to be declared.
    public static func declarations(of kind: Kind, patterns: [String]) -> [Declaration] {
        let queue = queue(of: kind)
        let bindings = patterns.map {
            Declaration.binding(queue: queue.name, exchange: EventTopology.exchange, routingKey: .fixed($0))
        }
        return [.exchange(name: EventTopology.exchange, kind: .topic)] + deadLetters(of: kind) + [.queue(queue)]
            + bindings
    }

    private static func queue(of kind: Kind) -> Queue {
        switch kind {
        case .durable(let name):
            Queue(
                name: .fixed(name), lifetime: .durable,
                arguments: [
                    "x-queue-type": .string("quorum"),
                    // The broker counts repetitions, not attempts.
                    "x-delivery-limit": .int(Int64(deliveryLimit - 1)),
                    "x-dead-letter-exchange": .string(EventTopology.deadExchange),
                    "x-dead-letter-routing-key": .string(EventTopology.deadQueue(of: name)),
                ], mayBeProvided: true)
        case .whileConnected(let name):
            Queue(
                name: .generated(prefix: "millrace.events.\(name)"), lifetime: .exclusive,
                // Whoever does not keep up loses the oldest.
                arguments: ["x-max-length": .int(Int64(longestBacklog))])
        }
    }

    private static func deadLetters(of kind: Kind) -> [Declaration] {
        guard case .durable(let name) = kind else { return [] }
        return EventTopology.deadLetters(of: name)
    }
}
