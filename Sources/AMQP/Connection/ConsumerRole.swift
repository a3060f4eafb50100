internal import Logging
internal import Metrics

/// Work for the connection that consumes.
enum ConsumerCommand: Sendable {
    case add(Consumer.ID, Consumer)
    /// Stops a consumer; `done` is called when the last delivery that was on its way has been handed over.
    case cancel(Consumer.ID, done: @Sendable () -> Void)
    case acknowledge(DeliveryToken)
    case reject(DeliveryToken, requeue: Bool, notBefore: ContinuousClock.Instant?)
    case inspect(queue: String, answer: @Sendable (Result<QueueStatus?, AMQPError>) -> Void)
}

/// The connection that consumes: one channel for each consumer, so that what the broker refuses to one does not touch
/// the others, and one to look at queues.
final class ConsumerRole: ConnectionRole {
    private static let inspectionChannel: UInt16 = 1

    private struct Entry {
        let id: Consumer.ID
        let consumer: Consumer
        let channel: UInt16
        var isChannelOpen = false
        /// Which opening of the channel this is; `nil` while it is closed. A token of another epoch belongs to a channel that
        /// is gone: acknowledging it would make the broker close the present one.
        var epoch: UInt64?
        var acknowledgements = AcknowledgementBatch()
        /// The consumer tag, while it consumes.
        var tag: String?
        var failures = 0
        var retryAt: ContinuousClock.Instant?
        var cancelled: (@Sendable () -> Void)?
        /// It has been cancelled, and whoever asked for that has been told. It stays until what it was given is settled.
        var isLeaving = false
    }

    private var entries: [Entry] = []
    private var isInspectionChannelOpen = false
    private var lastEpoch: UInt64 = 0
    /// Rejections whose time has not come. Bounded by the prefetch, like all that is not acknowledged.
    private var postponed: [(instant: ContinuousClock.Instant, command: ConsumerCommand)] = []
    private let backoff: Backoff
    private var generator = SystemRandomNumberGenerator()
    private let logger: Logger

    init(backoff: Backoff, logger: Logger) {
        self.backoff = backoff
        self.logger = logger
    }

    func written() {}

    // MARK: Coming and going

    func connected(_ connection: RawConnection) throws(AMQPError) {
        for index in entries.indices { try activate(index, on: connection) }
    }

    func disconnected(_ error: AMQPError) {
        isInspectionChannelOpen = false
        postponed.removeAll()
        for index in entries.indices {
            closed(index)
            entries[index].retryAt = nil
            deactivate(index, error)
            finishCancelling(index)
        }
        entries.removeAll(where: \.isLeaving)
    }

    /// Begins to consume. A refusal by the broker is tried again later; a broken connection is thrown.
    private func activate(_ index: Int, on connection: RawConnection) throws(AMQPError) {
        entries[index].retryAt = nil
        do {
            let queue = try begin(index, on: connection)
            entries[index].failures = 0
            entries[index].consumer.onActive(queue)
        } catch {
            guard case .channelClosed = error.kind else { throw error }
            channelClosed(index, error)
        }
    }

    private func begin(_ index: Int, on connection: RawConnection) throws(AMQPError) -> String {
        let (consumer, channel) = (entries[index].consumer, entries[index].channel)
        if !entries[index].isChannelOpen {
            try connection.openChannel(channel)
            entries[index].isChannelOpen = true
            lastEpoch += 1
            entries[index].epoch = lastEpoch
            entries[index].acknowledgements = AcknowledgementBatch()
        }
        var names: [QueueName: String] = [:]
        for declaration in consumer.declarations {
            if let (queue, name) = try connection.declare(declaration, names: names, on: channel) {
                names[queue] = name
            }
        }
        let queue = names[consumer.queue] ?? consumer.queue.text
        try connection.setPrefetch(consumer.prefetchCount, on: channel)
        entries[index].tag = try connection.consume(
            queue, isAutomatic: consumer.acknowledgement == .automatic, on: channel)
        return queue
    }

    private func deactivate(_ index: Int, _ error: AMQPError) {
        guard entries[index].tag != nil else { return }
        entries[index].tag = nil
        entries[index].consumer.onInactive(error)
    }

    private func channelClosed(_ index: Int, _ error: AMQPError) {
        closed(index)
        deactivate(index, error)
        finishCancelling(index)
        retryLater(index, error)
    }

    private func closed(_ index: Int) {
        entries[index].isChannelOpen = false
        entries[index].epoch = nil
        entries[index].acknowledgements = AcknowledgementBatch()
    }

    private func retryLater(_ index: Int, _ error: AMQPError) {
        guard entries[index].cancelled == nil, !entries[index].isLeaving else { return }
        let wait = backoff.delay(attempt: entries[index].failures + 2, using: &generator)
        entries[index].failures += 1
        entries[index].retryAt = .now + wait
        logger.log(
            level: entries[index].failures == 1 ? .warning : .debug,
            "A consumer has stopped: \(error.message)",
            metadata: ["queue": "\(entries[index].consumer.queue.text)", "next_attempt_in": "\(wait)"])
    }

    // MARK: Work

    func perform(_ command: ConsumerCommand, on connection: RawConnection) throws(AMQPError) {
        switch command {
        case .add(let id, let consumer):
            append(id, consumer)
            try activate(entries.count - 1, on: connection)
        case .cancel(let id, let done):
            guard let index = entries.firstIndex(where: { $0.id == id && !$0.isLeaving }) else { return done() }
            let earlier = entries[index].cancelled
            entries[index].cancelled = {
                earlier?()
                done()
            }
            entries[index].retryAt = nil
            guard earlier == nil, let tag = entries[index].tag else { return }
            do {
                try connection.cancelConsumer(tag, on: entries[index].channel)
            } catch {
                guard case .channelClosed = error.kind else { throw error }
                channelClosed(index, error)
            }
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
            try inspect(queue, on: connection, answer)
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
        let channel = (2...UInt16.max).first { number in !entries.contains { $0.channel == number } }
        entries.append(Entry(id: id, consumer: consumer, channel: channel ?? .max))
    }

    private func inspect(
        _ queue: String, on connection: RawConnection,
        _ answer: @Sendable (Result<QueueStatus?, AMQPError>) -> Void
    ) throws(AMQPError) {
        do {
            if !isInspectionChannelOpen {
                try connection.openChannel(Self.inspectionChannel)
                isInspectionChannelOpen = true
            }
            answer(.success(try connection.inspectQueue(queue, on: Self.inspectionChannel)))
        } catch {
            guard case .channelClosed(let code) = error.kind else {
                answer(.failure(error))
                throw error
            }
            isInspectionChannelOpen = false
            answer(code == 404 ? .success(nil) : .failure(error))
        }
    }

    // MARK: What comes in

    func handle(_ event: ConnectionEvent, channel: UInt16, on connection: RawConnection) throws(AMQPError) {
        switch event {
        case .content(.deliver(let tag, let isRedelivered, let exchange, let key), let message):
            guard let index = entries.firstIndex(where: { $0.channel == channel }), let epoch = entries[index].epoch
            else { return }
            if entries[index].consumer.acknowledgement == .explicit { entries[index].acknowledgements.delivered(tag) }
            entries[index].consumer.onDelivery(
                Delivery(
                    token: DeliveryToken(epoch: epoch, channel: channel, tag: tag), isRedelivered: isRedelivered,
                    exchange: exchange, routingKey: key, message: message))
        case .oversized(.deliver(let tag, _, let exchange, let key), let bodyBytes):
            Counter(label: "amqp_refused_messages_total", dimensions: [("reason", "oversized")]).increment()
            logger.warning(
                "A message is too large and is refused",
                metadata: ["exchange": "\(exchange)", "routing_key": "\(key)", "body_bytes": "\(bodyBytes)"])
            let isExplicit = entries.contains { $0.channel == channel && $0.consumer.acknowledgement == .explicit }
            if isExplicit { try connection.reject(tag, requeue: false, on: channel) }
        case .consumerCancelled(let tag):
            guard let index = entries.firstIndex(where: { $0.channel == channel && $0.tag == tag }) else { return }
            let error = AMQPError(.channelClosed(code: 404), "The broker cancelled the consumer: its queue is gone.")
            deactivate(index, error)
            retryLater(index, error)
        case .channelClosed(let code, let text):
            if channel == Self.inspectionChannel { isInspectionChannelOpen = false }
            guard let index = entries.firstIndex(where: { $0.channel == channel }) else { return }
            channelClosed(
                index, AMQPError(.channelClosed(code: code), "The broker closed the channel: \(code) \(text)"))
        case .content, .oversized, .settled, .blocked, .unblocked:
            break
        }
    }

    func settle(_ connection: RawConnection, now: ContinuousClock.Instant) throws(AMQPError) {
        for index in entries.indices {
            if let retryAt = entries[index].retryAt, retryAt <= now { try activate(index, on: connection) }
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
        // Deliveries that came before the broker's consent may still lie in the library.
        guard !connection.hasBufferedInput, entries.contains(where: { $0.cancelled != nil }) else { return }
        for index in entries.indices { finishCancelling(index) }
    }

    private func finishCancelling(_ index: Int) {
        guard let done = entries[index].cancelled.take() else { return }
        entries[index].isLeaving = true
        done()
    }

    /// Closes the channels of consumers that are done with. A connection has some 2,000.
    private func closeLeft(_ connection: RawConnection) throws(AMQPError) {
        while let index = entries.firstIndex(where: { $0.isLeaving && $0.acknowledgements.isSettled }) {
            let entry = entries.remove(at: index)
            guard entry.isChannelOpen else { continue }
            do {
                try connection.closeChannel(entry.channel)
            } catch {
                guard case .channelClosed = error.kind else { throw error }
            }
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
}

extension RawConnection {
    /// Makes sure that something exists.
    ///
    /// - Returns: The queue that was declared, with its name.
    func declare(
        _ declaration: Declaration, names: [QueueName: String], on channel: UInt16
    ) throws(AMQPError) -> (QueueName, String)? {
        switch declaration {
        case .exchange(let name, let kind):
            try declareExchange(name, kind: kind, on: channel)
            return nil
        case .queue(let queue):
            let name =
                switch queue.name {
                case .fixed(let name): name
                case .generated(let prefix): "\(prefix).\(UInt64.random(in: 0...UInt64.max).hexadecimal)"
                }
            try declareQueue(name, queue, on: channel)
            return (queue.name, name)
        case .binding(let queue, let exchange, let routingKey):
            let name = names[queue] ?? queue.text
            let key =
                switch routingKey {
                case .fixed(let key): key
                case .queueName: name
                }
            try bindQueue(name, exchange: exchange, routingKey: key, on: channel)
            return nil
        }
    }
}

extension UInt64 {
    fileprivate var hexadecimal: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
