/// What the broker says, once frames have been put together.
enum ConnectionEvent {
    case content(ContentStart, Message)
    /// A message over the size limit came in; its body is gone.
    case oversized(ContentStart, bodyBytes: UInt64)
    /// The broker has settled a publish on a channel in confirm mode.
    case settled(number: UInt64, multiple: Bool, accepted: Bool)
    /// The broker has cancelled a consumer, as it does when the queue is deleted.
    case consumerCancelled(tag: String)
    /// The broker has done what it was asked for.
    case answered(ChannelAnswer)
    /// The broker has closed the channel, and has been told that we know; the error says why.
    case channelClosed(AMQPError)
    /// The broker takes no publishes on this connection until ``unblocked``.
    case blocked(reason: String)
    case unblocked
}

/// What one of the two connections of a client is for. A role lives on the connection's thread and nowhere else.
protocol ConnectionRole: AnyObject, SendableMetatype {
    /// Work that other threads hand over.
    associatedtype Command: Sendable

    /// The connection has been made: ask for channels, declarations, consumers.
    func connected(_ connection: RawConnection) throws(AMQPError)

    /// Whether all that was asked for when the connection was made has been answered, or refused.
    var isReady: Bool { get }

    /// Does a piece of work.
    func perform(_ command: Command, on connection: RawConnection) throws(AMQPError)

    /// Takes note of what the broker says.
    func handle(_ event: ConnectionEvent, channel: UInt16, on connection: RawConnection) throws(AMQPError)

    /// Called each time round, when all that was there has been handled.
    func settle(_ connection: RawConnection, now: ContinuousClock.Instant) throws(AMQPError)

    /// The connection is gone, or could not be made; everything under way on it has failed.
    func disconnected(_ error: AMQPError)

    /// A piece of work came while there is no connection.
    func refuse(_ command: Command, _ error: AMQPError)

    /// Everything that has been done so far has been handed over to the socket.
    func written()
}
