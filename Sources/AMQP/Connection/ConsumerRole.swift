internal import Logging
internal import Metrics

/// Work for the connection that consumes.
enum ConsumerCommand: Sendable {
    case add(Consumer.ID, Consumer)
    /// Stops a consumer; `done` is called when the last delivery that was on its way has been handed over.
    case cancel(Consumer.ID, done: @Sendable () -> Void)
    case acknowledge(DeliveryToken)
    case reject(DeliveryToken, requeue: Bool, notBefore: ContinuousClock.Instant?)
    case inspect(queue: String, answer: QueueInspector.Answer)
}

/// The connection that consumes: one channel for each consumer, so that what the broker refuses to one does not touch
/// the others, and one to look at queues.
final class ConsumerRole: ConnectionRole {
    private struct Entry {
        enum Phase: Equatable {
            /// Not asked for; it is when there is a connection, or at its `retryAt`.
            case idle
            /// The broker has been asked for all that it needs; the last answer is the consumer tag.
            case beginning(queue: String)
            case consuming(tag: String)
            /// The broker has been asked to send no more.
            case cancelling
            /// Whoever cancelled it has been told. It stays until what it was given is settled.
            case leaving
            /// The broker has been asked to close its channel.
            case closing
        }

        let id: Consumer.ID
        let consumer: Consumer
        let channel: UInt16
        var phase = Phase.idle
        var isChannelOpen = false
        /// Which opening of the channel this is; `nil` while it is closed. A token of another epoch belongs to a channel that
        /// is gone: acknowledging it would make the broker close the present one.
        var epoch: UInt64?
        var acknowledgements = AcknowledgementBatch()
        var failures = 0
        var mode = DeclarationMode.making
        var retryAt: ContinuousClock.Instant?
        /// Who waits for its end.
        var cancels: [@Sendable () -> Void] = []
    }

    private var entries: [Entry] = []
    private var inspector = QueueInspector()
    private var lastEpoch: UInt64 = 0
    /// Rejections whose time has not come. Bounded by the prefetch, like all that is not acknowledged.
    private var postponed: [(instant: ContinuousClock.Instant, command: ConsumerCommand)] = []
    /// The channels whose consumers were asked for when the connection was made, and have not begun.
    private var awaitedChannels: Set<UInt16> = []
    private var isConnected = false
    private let backoff: Backoff
    private var generator = SystemRandomNumberGenerator()
    private let logger: Logger

    init(backoff: Backoff, logger: Logger) {
        self.backoff = backoff
        self.logger = logger
    }

    var isReady: Bool { isConnected && awaitedChannels.isEmpty }

    func written() {}

    // MARK: Coming and going

    func connected(_ connection: RawConnection) throws(AMQPError) {
        isConnected = true
        awaitedChannels = Set(entries.map(\.channel))
        for index in entries.indices { try begin(index, on: connection) }
    }

    func disconnected(_ error: AMQPError) {
        isConnected = false
        inspector.disconnected(error)
        postponed.removeAll()
        for index in entries.indices {
            entries[index].retryAt = nil
            closed(index, error)
        }
        entries.removeAll { $0.phase == .leaving }
    }

    /// Asks for all that a consumer needs, without waiting for an answer.
    private func begin(_ index: Int, on connection: RawConnection) throws(AMQPError) {
        entries[index].retryAt = nil
        let (consumer, channel) = (entries[index].consumer, entries[index].channel)
        do {
            if !entries[index].isChannelOpen {
                try connection.ask(.openChannel, on: channel)
                entries[index].isChannelOpen = true
                lastEpoch += 1
                entries[index].epoch = lastEpoch
                entries[index].acknowledgements = AcknowledgementBatch()
            }
            var names: [QueueName: String] = [:]
            for request in entries[index].mode.requests(for: consumer.declarations, &names) {
                try connection.ask(request, on: channel)
            }
            let queue = names[consumer.queue] ?? consumer.queue.text
            try connection.ask(.setPrefetch(consumer.prefetchCount), on: channel)
            try connection.ask(
                .consume(queue, isAutomatic: consumer.acknowledgement == .automatic), on: channel)
            entries[index].phase = .beginning(queue: queue)
        } catch {
            guard error.kind == .invalidConfiguration else { throw error }
            awaitedChannels.remove(channel)
            consumer.onRefused(error)
            retryLater(index, error)
        }
    }

    private func begun(_ index: Int, _ tag: String, on connection: RawConnection) throws(AMQPError) {
        guard case .beginning(let queue) = entries[index].phase else { return }
        awaitedChannels.remove(entries[index].channel)
        entries[index].failures = 0
        entries[index].phase = .consuming(tag: tag)
        entries[index].consumer.onActive(queue)
        if !entries[index].cancels.isEmpty { try stop(index, tag, on: connection) }
    }

    private func stop(_ index: Int, _ tag: String, on connection: RawConnection) throws(AMQPError) {
        try connection.ask(.cancel(consumerTag: tag), on: entries[index].channel)
        entries[index].phase = .cancelling
    }

    /// Its channel is closed, and nothing more will come of what was asked for there.
    private func closed(_ index: Int, _ error: AMQPError) {
        awaitedChannels.remove(entries[index].channel)
        entries[index].isChannelOpen = false
        entries[index].epoch = nil
        entries[index].acknowledgements = AcknowledgementBatch()
        switch entries[index].phase {
        case .consuming:
            entries[index].phase = .idle
            entries[index].consumer.onInactive(error)
        case .beginning where entries[index].cancels.isEmpty: entries[index].phase = .idle
        case .idle: break
        case .beginning, .cancelling: finishCancelling(index)
        // With its connection it is gone as well.
        case .leaving, .closing: entries[index].phase = .leaving
        }
    }

    private func channelClosed(_ index: Int, _ error: AMQPError) {
        // The broker still answers our own wish to close it; until then its number is not free.
        guard entries[index].phase != .closing else { return }
        let (mode, isAwaited) = (entries[index].mode, awaitedChannels.contains(entries[index].channel))
        if case .beginning = entries[index].phase {
            entries[index].mode = mode.after(error)
            // Where it is allowed to look, nothing has been lost but a round trip.
            if entries[index].mode == mode || mode == .looking { entries[index].consumer.onRefused(error) }
        }
        closed(index, error)
        if entries[index].phase == .leaving {
            entries.remove(at: index)
        } else if mode == .making, entries[index].mode == .looking {
            if isAwaited { awaitedChannels.insert(entries[index].channel) }
            entries[index].retryAt = .now
            logger.info("A declaration is not allowed, so what it is for is only looked at: \(error.message)")
        } else {
            retryLater(index, error)
        }
    }

    private func retryLater(_ index: Int, _ error: AMQPError) {
        let wait = backoff.delay(attempt: entries[index].failures + 2, using: &generator)
        entries[index].failures += 1
        entries[index].retryAt = .now + wait
        logger.log(
            level: entries[index].failures == 1 ? .warning : .debug,
            "A consumer has stopped: \(error.message)",
            metadata: ["queue": "\(entries[index].consumer.queue.text)", "next_attempt_in": "\(wait)"])
    }

    private func finishCancelling(_ index: Int) {
        entries[index].phase = .leaving
        for done in entries[index].cancels { done() }
        entries[index].cancels = []
    }

    // MARK: Work

    func perform(_ command: ConsumerCommand, on connection: RawConnection) throws(AMQPError) {
        switch command {
        case .add(let id, let consumer):
            append(id, consumer)
            try begin(entries.count - 1, on: connection)
        case .cancel(let id, let done):
            try cancel(id, on: connection, done)
        case .acknowledge(let token):
            guard let index = index(of: token) else { return }
            entries[index].acknowledgements.acknowledged(token.tag)
        case .reject(let token, let requeue, let notBefore):
            if let notBefore, notBefore > .now {
                postponed.append((notBefore, command))
            } else if let index = index(of: token), entries[index].acknowledgements.rejected(token.tag) {
                try connection.reject(token.tag, requeue: requeue, on: token.channel)
            }
        case .inspect(let queue, let answer):
            try inspector.inspect(queue, on: connection, answer)
        }
    }

    private func cancel(
        _ id: Consumer.ID, on connection: RawConnection, _ done: @escaping @Sendable () -> Void
    ) throws(AMQPError) {
        guard let index = entries.firstIndex(where: { $0.id == id }) else { return done() }
        entries[index].retryAt = nil
        switch entries[index].phase {
        case .leaving, .closing: done()
        case .idle:
            entries[index].cancels.append(done)
            finishCancelling(index)
        case .beginning, .cancelling: entries[index].cancels.append(done)
        case .consuming(let tag):
            entries[index].cancels.append(done)
            try stop(index, tag, on: connection)
        }
    }

    /// The consumer that a delivery came to, unless its channel has been closed since.
    private func index(of token: DeliveryToken) -> Int? {
        entries.firstIndex { $0.channel == token.channel && $0.epoch == token.epoch }
    }

    func refuse(_ command: ConsumerCommand, _ error: AMQPError) {
        switch command {
        case .add(let id, let consumer): append(id, consumer)
        case .cancel(let id, let done):
            entries.removeAll { $0.id == id }
            done()
        case .inspect(_, let answer): answer(.failure(error))
        case .acknowledge, .reject: break  // The broker delivers it again by itself.
        }
    }

    private func append(_ id: Consumer.ID, _ consumer: Consumer) {
        let used = Set(entries.map(\.channel))
        let channel = (2...UInt16.max).first { !used.contains($0) }
        entries.append(Entry(id: id, consumer: consumer, channel: channel ?? .max))
    }

    // MARK: What comes in

    func handle(_ event: ConnectionEvent, channel: UInt16, on connection: RawConnection) throws(AMQPError) {
        switch event {
        case .content(.deliver(let tag, let isRedelivered, let exchange, let key), let message):
            guard let index = index(of: channel), let epoch = entries[index].epoch else { return }
            if entries[index].consumer.acknowledgement == .explicit { entries[index].acknowledgements.delivered(tag) }
            entries[index].consumer.onDelivery(
                Delivery(
                    token: DeliveryToken(epoch: epoch, channel: channel, tag: tag), isRedelivered: isRedelivered,
                    exchange: exchange, routingKey: key, message: message))
        case .oversized(.deliver(let tag, _, let exchange, let key), let bodyBytes):
            Counter(label: "millrace_amqp_refused_messages_total", dimensions: [("reason", "oversized")]).increment()
            logger.warning(
                "A message is too large and is refused",
                metadata: ["exchange": "\(exchange)", "routing_key": "\(key)", "body_bytes": "\(bodyBytes)"])
            guard let index = index(of: channel), entries[index].epoch != nil else { return }
            if entries[index].consumer.acknowledgement == .explicit {
                try connection.reject(tag, requeue: false, on: channel)
            }
        case .consumerCancelled(let tag):
            guard let index = index(of: channel), entries[index].phase == .consuming(tag: tag) else { return }
            let error = AMQPError(.channelClosed(code: 404), "The broker cancelled the consumer: its queue is gone.")
            entries[index].phase = .idle
            entries[index].consumer.onInactive(error)
            retryLater(index, error)
        case .answered(let answer):
            try answered(answer, channel: channel, on: connection)
        case .channelClosed(let error):
            if channel == QueueInspector.channel { return try inspector.channelClosed(error, on: connection) }
            if let index = index(of: channel) { channelClosed(index, error) }
        case .content, .oversized, .settled, .blocked, .unblocked:
            break
        }
    }

    private func answered(
        _ answer: ChannelAnswer, channel: UInt16, on connection: RawConnection
    ) throws(AMQPError) {
        if channel == QueueInspector.channel {
            if case .queueDeclared(let status) = answer { try inspector.answered(status, on: connection) }
            return
        }
        guard let index = index(of: channel) else { return }
        switch answer {
        case .consuming(let tag): try begun(index, tag, on: connection)
        // Every delivery that the broker had sent has come before this answer.
        case .cancelled: finishCancelling(index)
        case .channelClosed: entries.remove(at: index)
        default: break
        }
    }

    private func index(of channel: UInt16) -> Int? {
        entries.firstIndex { $0.channel == channel }
    }

    func settle(_ connection: RawConnection, now: ContinuousClock.Instant) throws(AMQPError) {
        for index in entries.indices {
            if let retryAt = entries[index].retryAt, retryAt <= now { try begin(index, on: connection) }
        }
        if postponed.contains(where: { $0.instant <= now }) {
            let due = postponed.filter { $0.instant <= now }
            postponed.removeAll { $0.instant <= now }
            for (_, command) in due { try perform(command, on: connection) }
        }
        for index in entries.indices where entries[index].epoch != nil {
            for frame in entries[index].acknowledgements.flush() {
                try connection.acknowledge(frame.tag, isMultiple: frame.isMultiple, on: entries[index].channel)
            }
        }
        try closeLeft(connection)
    }

    /// Closes the channels of consumers that are done with. A connection has some 2,000.
    private func closeLeft(_ connection: RawConnection) throws(AMQPError) {
        for index in entries.indices.reversed()
        where entries[index].phase == .leaving && entries[index].acknowledgements.isSettled {
            if entries[index].isChannelOpen {
                try connection.ask(.closeChannel, on: entries[index].channel)
                entries[index].phase = .closing
                entries[index].epoch = nil
            } else {
                entries.remove(at: index)
            }
        }
    }
}
