internal import CRabbitMQ

/// Where frames come from, and what a reader of frames has to tell it. A connection is one; so is anything in memory that
/// a test reads frames from.
protocol FrameSource {
    /// The next frame, if one is there; never waits.
    func receive() throws(AMQPError) -> amqp_frame_t?

    /// Whether this channel has been opened, be it closed again or not.
    func hasOpened(_ channel: UInt16) -> Bool

    /// Gives back the memory of the frames of a channel, once what they carried has been copied.
    func releaseBuffers(of channel: UInt16)

    /// Takes note of an answer.
    ///
    /// - Throws: `protocolViolation` when it is none to what was asked for.
    func answered(_ answer: ChannelAnswer, on channel: UInt16) throws(AMQPError)

    /// Takes note that the broker has closed a channel, and tells it so.
    ///
    /// - Returns: What that means for whoever uses the channel.
    func wasClosed(_ channel: UInt16, _ exception: ServerException) throws(AMQPError) -> AMQPError

    /// Tells the broker that its closing of the connection has been noted.
    func confirmConnectionClose()
}
