internal import CRabbitMQ

/// A frame, or a part of a body frame; valid until the next one is asked for. What a body frame carries does not count before the
/// frame's end mark has been seen.
enum ReceivedFrame {
    case decoded(amqp_frame_t)
    case body(UnsafeRawBufferPointer, endsFrame: Bool, channel: UInt16)

    var channel: UInt16 {
        switch self {
        case .decoded(let frame): frame.channel
        case .body(_, _, let channel): channel
        }
    }
}

/// What has come of a body, where it belongs.
struct ReceivedBody {
    var count: Int
    /// Whether the frame of the last of these bytes has ended.
    var endsFrame: Bool
}

/// Where frames come from, and what a reader of frames has to tell it. A connection is one; so is anything in memory that
/// a test reads frames from.
protocol FrameSource {
    /// The next frame, if one is there, or as much of a body frame as is there; never waits.
    ///
    /// - Throws: `connectionLost` or `protocolViolation`.
    func receive() throws(AMQPError) -> ReceivedFrame?

    /// The channel of which a body is likely to go on with the next bytes, so that they can be read to where they belong.
    var channelInBody: UInt16? { get }

    /// Reads on in the body of ``channelInBody``; never waits.
    ///
    /// - Parameter room: As much as is missing of the body.
    /// - Returns: What has come of it; `nil` when nothing has.
    /// - Throws: `connectionLost` or `protocolViolation`.
    func receive(into room: UnsafeMutableRawBufferPointer) throws(AMQPError) -> ReceivedBody?

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
