internal import Logging
internal import Metrics
internal import NIOCore

/// How a publish ended.
public enum PublishOutcome: Sendable {
    /// Without confirms: it has been written to the socket. With confirms: the broker has taken it over.
    case accepted
    /// The broker has refused it (`basic.nack`): the queue is full.
    case rejected
    /// It was mandatory, and no queue took it.
    case unroutable
    /// It has failed, or nobody knows: the connection broke before the broker had confirmed it.
    case failed(AMQPError)
}

/// A message on its way to the publishing connection. A class, since it passes through many hands, and a copy of all its
/// texts for each would cost more than the rest of a publish.
final class PublishCommand: Sendable {
    let message: Message
    let exchange: String
    let routingKey: String
    let isMandatory: Bool
    let isConfirmed: Bool
    let onOutcome: @Sendable (PublishOutcome) -> Void

    init(
        message: Message, exchange: String, routingKey: String, isMandatory: Bool, isConfirmed: Bool,
        onOutcome: @escaping @Sendable (PublishOutcome) -> Void
    ) {
        self.message = message
        self.exchange = exchange
        self.routingKey = routingKey
        self.isMandatory = isMandatory
        self.isConfirmed = isConfirmed
        self.onOutcome = onOutcome
    }
}

/// The connection that publishes: one channel without confirms, one with.
final class PublisherRole: ConnectionRole {
    private static let plainChannel: UInt16 = 1
    private static let confirmChannel: UInt16 = 2
    /// Tells which publish a returned message was; the broker sends the headers back as they came.
    private static let numberHeader = "x-publish-number"

    private let declarations: [Declaration]
    private let status: ConnectionStatus
    private let logger: Logger
    private let onReturned: @Sendable (ReturnedMessage) -> Void
    private var confirms = ConfirmTracker<PublishCommand>()
    /// Published without confirms and perhaps not handed over to the socket yet.
    private var unwritten: [PublishCommand] = []
    private var blockedSince: ContinuousClock.Instant?
    private var refusals = FreshRefusals()

    init(
        declarations: [Declaration],
        status: ConnectionStatus,
        logger: Logger,
        onReturned: @escaping @Sendable (ReturnedMessage) -> Void
    ) {
        self.declarations = declarations
        self.status = status
        self.logger = logger
        self.onReturned = onReturned
    }

    func connected(_ connection: RawConnection) throws(AMQPError) {
        refusals.connected(now: .now)
        try open(Self.plainChannel, on: connection)
        try declare(on: connection)
        try open(Self.confirmChannel, on: connection)
    }

    private func declare(on connection: RawConnection) throws(AMQPError) {
        do {
            for declaration in declarations {
                _ = try connection.declare(declaration, names: [:], on: Self.plainChannel)
            }
        } catch {
            guard case .channelClosed = error.kind else { throw error }
            // What is missing will be named again by the publish that needs it.
            logger.warning("A declaration was refused: \(error.message)")
            try open(Self.plainChannel, on: connection)
        }
    }

    private func open(_ channel: UInt16, on connection: RawConnection) throws(AMQPError) {
        try connection.openChannel(channel)
        guard channel == Self.confirmChannel else { return }
        try connection.selectConfirms(channel)
        refusals.channelOpened()
    }

    /// Nothing is unsettled when this is called: what becomes of that is not known any more once the channel is closed.
    private func replaceConfirmChannel(_ connection: RawConnection) throws(AMQPError) {
        try connection.closeChannel(Self.confirmChannel)
        _ = confirms.reset()
        try open(Self.confirmChannel, on: connection)
    }

    func perform(_ command: PublishCommand, on connection: RawConnection) throws(AMQPError) {
        if let reason = status.blockedReason {
            return command.onOutcome(.failed(AMQPError(.blocked, "The broker takes no messages now: \(reason).")))
        }
        if command.isConfirmed {
            if refusals.channelIsSuspect, confirms.unsettledCount == 0 {
                do {
                    try replaceConfirmChannel(connection)
                } catch {
                    command.onOutcome(.failed(error))
                    throw error
                }
            }
            let number = FieldTable.Entry(Self.numberHeader, .int(Int64(confirms.nextNumber)))
            let mark = command.isMandatory ? number : nil
            guard try publish(command, mark, on: Self.confirmChannel, connection) else { return }
            confirms.published(command)
        } else {
            guard try publish(command, nil, on: Self.plainChannel, connection) else { return }
            unwritten.append(command)
        }
    }

    /// - Returns: Whether it was taken; otherwise its outcome has been told.
    private func publish(
        _ command: PublishCommand, _ mark: FieldTable.Entry?, on channel: UInt16, _ connection: RawConnection
    ) throws(AMQPError) -> Bool {
        do {
            try connection.publish(command, adding: mark, on: channel)
            return true
        } catch {
            command.onOutcome(.failed(error))
            // What does not fit into a frame harms nobody else.
            guard error.kind == .invalidConfiguration else { throw error }
            return false
        }
    }

    func written() {
        guard !unwritten.isEmpty else { return }
        for command in unwritten { command.onOutcome(.accepted) }
        unwritten.removeAll(keepingCapacity: true)
    }

    func handle(_ event: ConnectionEvent, channel: UInt16, on connection: RawConnection) throws(AMQPError) {
        switch event {
        case .content(.returned(let code, let text, let exchange, let key), var message):
            if channel == Self.confirmChannel, let number = message.properties.headers.int(Self.numberHeader) {
                confirms.returned(UInt64(clamping: number))
            } else {
                message.properties.headers[Self.numberHeader] = nil
                onReturned(
                    ReturnedMessage(code: code, text: text, exchange: exchange, routingKey: key, message: message))
            }
        case .settled(let number, let multiple, let accepted):
            guard channel == Self.confirmChannel else {
                throw AMQPError(
                    .protocolViolation,
                    "The broker confirmed a message on channel \(channel), where it was not asked to.")
            }
            for (command, outcome) in confirms.settled(number, multiple: multiple, accepted: accepted) {
                command.onOutcome(judged(outcome, of: command))
            }
        case .blocked(let reason):
            status.set(blockedReason: reason)
            blockedSince = blockedSince ?? .now
            logger.warning("The broker takes no messages now", metadata: ["reason": "\(reason)"])
        case .unblocked:
            status.set(blockedReason: nil)
            measureBlockedTime()
            logger.info("The broker takes messages again")
        case .channelClosed(let code, let text):
            logger.warning(
                "The broker closed a publishing channel", metadata: ["code": "\(code)", "reason": "\(text)"])
            let error = AMQPError(.channelClosed(code: code), "The broker refuses a message: \(code) \(text)")
            if channel == Self.confirmChannel { failUnsettled(error) }
            try open(channel, on: connection)
            // Something is missing (404), and perhaps it is one of ours: deleted since the connection was made.
            if code == 404 { try declare(on: connection) }
        case .content, .oversized, .consumerCancelled:
            break
        }
    }

    private func judged(
        _ outcome: ConfirmTracker<PublishCommand>.Outcome, of command: PublishCommand
    ) -> PublishOutcome {
        let route = FreshRefusals.Route(exchange: command.exchange, routingKey: command.routingKey)
        switch outcome {
        case .accepted: refusals.accepted(route)
        case .unroutable: break
        case .rejected:
            guard refusals.refused(route, now: .now) else { break }
            return .failed(
                AMQPError(.queueUnavailable, "No node speaks for the queue of \(command.routingKey) now; try again."))
        }
        return PublishOutcome(outcome)
    }

    func settle(_ connection: RawConnection, now: ContinuousClock.Instant) {}

    func disconnected(_ error: AMQPError) {
        measureBlockedTime()
        for command in unwritten { command.onOutcome(.failed(error)) }
        unwritten.removeAll()
        failUnsettled(error)
    }

    private func measureBlockedTime() {
        guard let since = blockedSince.take() else { return }
        let (seconds, attoseconds) = since.duration(to: .now).components
        Metrics.Timer(label: "amqp_blocked_seconds")
            .recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }

    func refuse(_ command: PublishCommand, _ error: AMQPError) {
        command.onOutcome(.failed(error))
    }

    private func failUnsettled(_ error: AMQPError) {
        for command in confirms.reset() { command.onOutcome(.failed(error)) }
    }
}

extension PublishCommand {
    /// What it takes in the mailbox: the body, and a flat allowance for the properties.
    var weight: Int { message.body.readableBytes + 512 }
}

extension PublishOutcome {
    fileprivate init(_ outcome: ConfirmTracker<PublishCommand>.Outcome) {
        self =
            switch outcome {
            case .accepted: .accepted
            case .rejected: .rejected
            case .unroutable: .unroutable
            }
    }
}
