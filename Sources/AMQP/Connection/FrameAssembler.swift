internal import NIOCore

/// The method frame that a content (a message) begins with.
enum ContentStart: Equatable {
    case deliver(consumerTag: String, deliveryTag: UInt64, isRedelivered: Bool, exchange: String, routingKey: String)
    case returned(code: UInt16, text: String, exchange: String, routingKey: String)
}

/// What a frame means for the assembly of messages. Frames of other kinds do not come here.
enum ContentFrame {
    case start(ContentStart)
    case header(bodyBytes: UInt64, properties: MessageProperties)
    /// Valid only during the call.
    case body(UnsafeRawBufferPointer)
}

/// A message that has come whole.
enum AssembledContent: Equatable {
    case message(ContentStart, Message)
    /// Its body was larger than the limit, and has been passed over.
    case oversized(ContentStart, bodyBytes: UInt64)
}

/// Puts messages together from frames: a method, a header, then as much body as the header announced (AMQP 0-9-1,
/// section 2.3.5.2). Frames of several channels may be interleaved.
///
/// Pure: frames in, messages out. A body byte is copied once, from the frame into the message.
struct FrameAssembler {
    private enum State {
        case idle
        case started(ContentStart)
        case receiving(ContentStart, MessageProperties, ByteBuffer, remainingBytes: UInt64)
        case skipping(ContentStart, bodyBytes: UInt64, remainingBytes: UInt64)
    }

    private var states: [UInt16: State] = [:]
    private let maxBodyBytes: Int

    init(maxBodyBytes: Int) {
        self.maxBodyBytes = maxBodyBytes
    }

    /// Whether a channel is between two messages.
    func isIdle(_ channel: UInt16) -> Bool {
        guard let state = states[channel], case .idle = state else { return states[channel] == nil }
        return true
    }

    /// Forgets what a channel had begun: the channel was closed.
    mutating func reset(_ channel: UInt16) {
        states[channel] = nil
    }

    /// Takes the next frame of a channel.
    ///
    /// - Returns: The message that this frame completed, if it did.
    /// - Throws: `protocolViolation` when the frame cannot follow the one before; the connection must be given up.
    mutating func accept(_ frame: ContentFrame, on channel: UInt16) throws(AMQPError) -> AssembledContent? {
        // Taking the state out leaves the buffer uniquely referenced, so that it grows in place.
        let state = states.updateValue(.idle, forKey: channel) ?? .idle
        switch (state, frame) {
        case (.idle, .start(let start)):
            states[channel] = .started(start)
            return nil
        case (.started(let start), .header(let bodyBytes, let properties)):
            return begin(start, bodyBytes: bodyBytes, properties: properties, on: channel)
        case (.receiving(let start, let properties, let body, let remaining), .body(let fragment)):
            return try append(fragment, to: (start, properties, body, remaining), on: channel)
        case (.skipping(let start, let bodyBytes, let remaining), .body(let fragment)):
            let left = try subtract(fragment.count, from: remaining)
            guard left > 0 else { return .oversized(start, bodyBytes: bodyBytes) }
            states[channel] = .skipping(start, bodyBytes: bodyBytes, remainingBytes: left)
            return nil
        default:
            throw AMQPError(
                .protocolViolation, "The broker sent a \(frame.name) frame on channel \(channel) out of order.")
        }
    }

    private mutating func begin(
        _ start: ContentStart, bodyBytes: UInt64, properties: MessageProperties, on channel: UInt16
    ) -> AssembledContent? {
        if bodyBytes == 0 { return .message(start, Message(properties: properties)) }
        if bodyBytes > UInt64(maxBodyBytes) {
            states[channel] = .skipping(start, bodyBytes: bodyBytes, remainingBytes: bodyBytes)
            return nil
        }
        let body = ByteBufferAllocator().buffer(capacity: Int(bodyBytes))
        states[channel] = .receiving(start, properties, body, remainingBytes: bodyBytes)
        return nil
    }

    private mutating func append(
        _ fragment: UnsafeRawBufferPointer,
        to content: (start: ContentStart, properties: MessageProperties, body: ByteBuffer, remaining: UInt64),
        on channel: UInt16
    ) throws(AMQPError) -> AssembledContent? {
        let left = try subtract(fragment.count, from: content.remaining)
        var body = content.body
        body.writeBytes(fragment)
        guard left > 0 else {
            return .message(content.start, Message(properties: content.properties, body: body))
        }
        states[channel] = .receiving(content.start, content.properties, body, remainingBytes: left)
        return nil
    }

    private func subtract(_ count: Int, from remaining: UInt64) throws(AMQPError) -> UInt64 {
        let (left, overflow) = remaining.subtractingReportingOverflow(UInt64(count))
        guard !overflow else {
            throw AMQPError(.protocolViolation, "The broker sent more body than the header announced.")
        }
        return left
    }
}

extension ContentFrame {
    fileprivate var name: String {
        switch self {
        case .start: "method"
        case .header: "header"
        case .body: "body"
        }
    }
}
