internal import CRabbitMQ
internal import DequeModule

/// What the broker has been asked for and has not answered yet, on all channels of a connection.
///
/// Pure. A channel does what it is asked in that order, and answers in that order (AMQP 0-9-1, section 4.7), so everything
/// that a consumer needs is asked for at once: it costs one round trip, and nobody waits for it. When the broker refuses
/// something it closes the channel, and passes over what was asked for after it.
struct ChannelCalls {
    typealias Instant = ContinuousClock.Instant

    private struct Call {
        let request: ChannelRequest
        let askedAt: Instant
    }

    private var calls: [UInt16: Deque<Call>] = [:]

    /// Something has been asked for.
    mutating func asked(_ request: ChannelRequest, on channel: UInt16, now: Instant) {
        calls[channel, default: []].append(Call(request: request, askedAt: now))
    }

    /// The broker has answered.
    ///
    /// - Throws: `protocolViolation` when nothing was asked for, or something else.
    mutating func answered(_ answer: ChannelAnswer, on channel: UInt16) throws(AMQPError) {
        guard let call = calls[channel]?.popFirst() else {
            throw AMQPError(
                .protocolViolation, "The broker answered on channel \(channel), where it was asked for nothing.")
        }
        if calls[channel]?.isEmpty == true { calls[channel] = nil }
        guard call.request.isAnswered(by: answer) else {
            throw AMQPError(.protocolViolation, "The broker was to \(call.request.purpose), and answered \(answer).")
        }
    }

    /// The broker has closed a channel; what was asked for there is not answered any more. Only a wish to close the channel
    /// that has crossed the broker's still is.
    ///
    /// - Parameters:
    ///   - channel: Which channel.
    ///   - method: What the broker says that it could not do; 0 for nothing.
    /// - Returns: What it could not do, if that was asked for here.
    mutating func closed(_ channel: UInt16, because method: amqp_method_number_t) -> ChannelRequest? {
        guard let open = calls.removeValue(forKey: channel) else { return nil }
        if let close = open.last, close.request == .closeChannel { calls[channel] = [close] }
        guard let first = open.first?.request, first.method == method else { return nil }
        return first
    }

    /// What has been waiting for an answer for longer than this; the oldest of a channel.
    func overdue(after limit: Duration, now: Instant) -> ChannelRequest? {
        guard !calls.isEmpty else { return nil }
        return calls.values.lazy.compactMap(\.first).first { $0.askedAt.duration(to: now) > limit }?.request
    }

    /// Whether nothing waits for an answer.
    var isEmpty: Bool { calls.isEmpty }
}
