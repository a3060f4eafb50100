internal import Domain
public import Logging
internal import Metrics
public import ServiceLifecycle

/// Tells what is in an outbox: at once what it is told of, and every few seconds what a process that died has left, or what
/// could not be told before.
///
/// Guaranteed: an event is taken out only after the broker has confirmed it, so it is told at least once. Not guaranteed:
/// that it is told once, nor any order; processes that share an outbox may tell the same event.
public final class OutboxPublisher: Service {
    /// How often the outbox is looked through. Events that were told at once are not there any more, so this only costs a
    /// query that finds nothing.
    public static let sweepSeconds = 5
    /// How many events may wait to be told at once; the next sweep finds the others.
    public static let maxWaitingEvents = 1_024
    /// How many events one look at the outbox takes.
    static let batchCount = 100
    /// How long telling one event may take, in seconds: longer than a node of a broker takes to be replaced.
    private static let publishSeconds = 10
    private static let databaseSeconds = 10

    private let outbox: any Outbox
    private let publisher: any EventPublishing
    private let optional: Set<String>
    private let sweepPause: Duration
    private let logger: Logger
    private let events: AsyncStream<PendingEvent>
    private let told: AsyncStream<PendingEvent>.Continuation

    /// Makes a publisher. It begins to publish when it is run.
    ///
    /// - Parameters:
    ///   - outbox: Where the events are.
    ///   - publisher: Tells them.
    ///   - optional: The names of events that nobody needs to want. Any other one stays in the outbox while no queue takes
    ///     it.
    ///   - logger: Where failures are told.
    public convenience init(
        _ outbox: any Outbox, publisher: any EventPublishing, optional: Set<String> = [], logger: Logger
    ) {
        self.init(
            outbox, publisher: publisher, optional: optional, sweepPause: .seconds(Self.sweepSeconds), logger: logger)
    }

    init(
        _ outbox: any Outbox, publisher: any EventPublishing, optional: Set<String>, sweepPause: Duration,
        logger: Logger
    ) {
        self.outbox = outbox
        self.publisher = publisher
        self.optional = optional
        self.sweepPause = sweepPause
        self.logger = logger
        (events, told) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.maxWaitingEvents))
    }

    /// Says that events have been written into the outbox, so that they are told now. Does not wait, and may be called
    /// before ``run()``.
    public func tell(_ events: [PendingEvent]) {
        for event in events { told.yield(event) }
    }

    /// Publishes until the task is cancelled or a graceful shutdown begins. What has not been told by then is still in the
    /// outbox.
    public func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.publishWhatIsTold() }
            group.addTask { await self.sweep() }
            try? await gracefulShutdown()
            group.cancelAll()
        }
    }

    private func publishWhatIsTold() async {
        for await event in events { _ = await publish(event) }
    }

    private func sweep() async {
        while !Task.isCancelled {
            await sweepOnce()
            try? await Task.sleep(for: sweepPause)
        }
    }

    /// Goes on until the outbox is empty, or nothing of what it gave could be told.
    private func sweepOnce() async {
        let waiting = Gauge(label: "millrace_outbox_events_waiting")
        var progress = true
        while progress, !Task.isCancelled {
            let found: [PendingEvent]
            do throws(ServiceError) {
                found = try await outbox.pendingEvents(
                    limit: Self.batchCount, deadline: .after(.seconds(Self.databaseSeconds)))
            } catch {
                return report("The outbox cannot be read", error)
            }
            waiting.record(found.count)
            var count = 0
            for event in found where !Task.isCancelled {
                guard await publish(event) else { continue }
                count += 1
            }
            progress = found.count == Self.batchCount && count > 0
        }
    }

    /// - Returns: Whether it has been told and taken out.
    private func publish(_ pending: PendingEvent) async -> Bool {
        do throws(ServiceError) {
            try await publisher.publish(
                pending.event, needsListener: !optional.contains(pending.event.name),
                deadline: .after(.seconds(Self.publishSeconds)))
            try await outbox.remove(pending, deadline: .after(.seconds(Self.databaseSeconds)))
            return true
        } catch {
            Counter(label: "millrace_outbox_failures_total", dimensions: [("event", pending.event.name)]).increment()
            report("\(pending.event.name) waits in the outbox", error)
            return false
        }
    }

    private func report(_ words: String, _ error: ServiceError) {
        guard !Task.isCancelled else { return }
        logger.warning("\(words): \(error)")
    }
}
