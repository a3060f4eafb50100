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
    private static let firstConfirmChannel: UInt16 = 2
    /// Tells which publish a returned message was; the broker sends the headers back as they came.
    private static let numberHeader = "x-publish-number"

    private let declarations: [Declaration]
    private let status: ConnectionStatus
    private let logger: Logger
    private let onReturned: @Sendable (ReturnedMessage) -> Void
    private var confirmChannel = firstConfirmChannel
    /// Channels that the broker has been asked to close.
    private var closingChannels: Set<UInt16> = []
    private var mode = DeclarationMode.making
    /// How many declarations the broker has not answered yet, by channel.
    private var missingDeclarations: [UInt16: Int] = [:]
    private(set) var isReady = false
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

    // MARK: Channels

    func connected(_ connection: RawConnection) throws(AMQPError) {
        refusals.connected(now: .now)
        confirmChannel = Self.firstConfirmChannel
        closingChannels.removeAll()
        missingDeclarations.removeAll()
        try open(Self.plainChannel, declaring: false, on: connection)
        try open(confirmChannel, declaring: true, on: connection)
    }

    /// Messages may follow at once: a channel does things in the order in which they come.
    private func open(_ channel: UInt16, declaring: Bool, on connection: RawConnection) throws(AMQPError) {
        try connection.ask(.openChannel, on: channel)
        if declaring {
            var names: [QueueName: String] = [:]
            let requests = mode.requests(for: declarations, &names)
            missingDeclarations[channel] = requests.count
            for request in requests { try connection.ask(request, on: channel) }
        }
        guard channel == confirmChannel else { return }
        try connection.ask(.selectConfirms, on: channel)
        refusals.channelOpened()
    }

    /// Nothing is unsettled when this is called: what becomes of that is not known any more once the channel is closed.
    private func replaceConfirmChannel(_ connection: RawConnection) throws(AMQPError) {
        try connection.ask(.closeChannel, on: confirmChannel)
        closingChannels.insert(confirmChannel)
        _ = confirms.reset()
        confirmChannel = (Self.firstConfirmChannel...).first { !closingChannels.contains($0) } ?? confirmChannel
        try open(confirmChannel, declaring: false, on: connection)
    }

    private func channelClosed(
        _ channel: UInt16, _ error: AMQPError, on connection: RawConnection
    ) throws(AMQPError) {
        guard channel == Self.plainChannel || channel == confirmChannel else { return }
        // Until the declarations are answered, one of them is what the broker refuses. What is missing then will be named
        // again by the publish that needs it.
        let isDeclaration = missingDeclarations.removeValue(forKey: channel).map { $0 > 0 } ?? false
        if isDeclaration, mode == .making, mode.after(error) == .looking {
            logger.info("A declaration is not allowed, so what it is for is only looked at: \(error.message)")
        } else {
            logger.warning("\(isDeclaration ? "A declaration was" : "A message was") refused: \(error.message)")
        }
        if channel == confirmChannel {
            failUnsettled(blaming: error)
        } else {
            // The broker passes over what comes on a channel that it has closed.
            for command in unwritten { command.onOutcome(.failed(error)) }
            unwritten.removeAll(keepingCapacity: true)
        }
        // Something is missing (404), and perhaps it is one of ours: deleted since the connection was made.
        let isMissing = error.kind == .channelClosed(code: 404)
        let isFirstRefusal = isDeclaration && mode == .making && mode.after(error) == .looking
        if isDeclaration { mode = mode.after(error) }
        try open(channel, declaring: isDeclaration ? isFirstRefusal : isMissing, on: connection)
    }

    // MARK: Work

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
            guard try publish(command, mark, on: confirmChannel, connection) else { return }
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
            if channel == confirmChannel, let number = message.properties.headers.int(Self.numberHeader) {
                confirms.returned(UInt64(clamping: number))
            } else {
                message.properties.headers[Self.numberHeader] = nil
                onReturned(
                    ReturnedMessage(code: code, text: text, exchange: exchange, routingKey: key, message: message))
            }
        case .settled(let number, let multiple, let accepted):
            guard channel == confirmChannel else {
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
        case .answered(.confirmsSelected):
            isReady = true
        case .answered(.channelClosed):
            closingChannels.remove(channel)
        case .answered(.exchangeDeclared), .answered(.queueDeclared), .answered(.queueBound):
            missingDeclarations[channel]? -= 1
        case .channelClosed(let error):
            try channelClosed(channel, error, on: connection)
        case .content, .oversized, .consumerCancelled, .answered:
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
        isReady = false
        measureBlockedTime()
        for command in unwritten { command.onOutcome(.failed(error)) }
        unwritten.removeAll()
        for command in confirms.reset() { command.onOutcome(.failed(error)) }
    }

    private func measureBlockedTime() {
        guard let since = blockedSince.take() else { return }
        let (seconds, attoseconds) = since.duration(to: .now).components
        Metrics.Timer(label: "millrace_amqp_blocked_seconds")
            .recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }

    func refuse(_ command: PublishCommand, _ error: AMQPError) {
        command.onOutcome(.failed(error))
    }

    /// The broker has closed the channel because of one message, and passes over those behind it. It names the exchange that
    /// was at fault; the messages for others have only shared the channel.
    private func failUnsettled(blaming error: AMQPError) {
        let commands = confirms.reset()
        let isBlamed = { (command: PublishCommand) in error.message.contains("exchange '\(command.exchange)'") }
        let isSomebodyBlamed = commands.contains(where: isBlamed)
        let other = AMQPError(
            .connectionLost, "Another message made the broker close the channel; what became of this one is not known.")
        for command in commands {
            command.onOutcome(.failed(isSomebodyBlamed && !isBlamed(command) ? other : error))
        }
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
