internal import NIOCore

/// The method frame that a content (a message) begins with.
enum ContentStart: Equatable {
    case deliver(deliveryTag: UInt64, isRedelivered: Bool, exchange: String, routingKey: String)
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
    /// What one channel has begun. A class, so that a body grows where it lies instead of being taken out and put back.
    private final class Content {
        let start: ContentStart
        var properties: MessageProperties?
        var body = ByteBuffer()
        var bodyBytes: UInt64 = 0
        var remainingBytes: UInt64 = 0
        var isOversized = false

        init(_ start: ContentStart) {
            self.start = start
        }
    }

    /// By channel. The numbers are ours, so they are small.
    private var contents: [Content?] = []
    private let maxBodyBytes: Int

    init(maxBodyBytes: Int) {
        self.maxBodyBytes = maxBodyBytes
    }

    /// Whether a channel is between two messages.
    func isIdle(_ channel: UInt16) -> Bool { content(on: channel) == nil }

    private func content(on channel: UInt16) -> Content? {
        Int(channel) < contents.count ? contents[Int(channel)] : nil
    }

    private mutating func begin(_ content: Content, on channel: UInt16) {
        while contents.count <= Int(channel) { contents.append(nil) }
        contents[Int(channel)] = content
    }

    /// Forgets what a channel had begun: the channel was closed.
    mutating func reset(_ channel: UInt16) {
        if Int(channel) < contents.count { contents[Int(channel)] = nil }
    }

    /// Takes the next frame of a channel.
    ///
    /// - Returns: The message that this frame completed, if it did.
    /// - Throws: `protocolViolation` when the frame cannot follow the one before; the connection must be given up.
    mutating func accept(_ frame: ContentFrame, on channel: UInt16) throws(AMQPError) -> AssembledContent? {
        let content = content(on: channel)
        switch frame {
        case .start(let start):
            guard content == nil else { throw outOfOrder(frame, channel) }
            begin(Content(start), on: channel)
            return nil
        case .header(let bodyBytes, let properties):
            guard let content, content.properties == nil else { throw outOfOrder(frame, channel) }
            begin(content, bodyBytes: bodyBytes, properties: properties)
            return finishIfComplete(content, on: channel)
        case .body(let fragment):
            guard let content, content.properties != nil else { throw outOfOrder(frame, channel) }
            try append(fragment, to: content)
            return finishIfComplete(content, on: channel)
        }
    }

    private func outOfOrder(_ frame: ContentFrame, _ channel: UInt16) -> AMQPError {
        AMQPError(.protocolViolation, "The broker sent a \(frame.name) frame on channel \(channel) out of order.")
    }

    private func begin(_ content: Content, bodyBytes: UInt64, properties: MessageProperties) {
        content.properties = properties
        content.bodyBytes = bodyBytes
        content.remainingBytes = bodyBytes
        content.isOversized = bodyBytes > UInt64(maxBodyBytes)
        guard bodyBytes > 0, !content.isOversized else { return }
        content.body = ByteBufferAllocator().buffer(capacity: Int(bodyBytes))
    }

    private func append(_ fragment: UnsafeRawBufferPointer, to content: Content) throws(AMQPError) {
        let (left, overflow) = content.remainingBytes.subtractingReportingOverflow(UInt64(fragment.count))
        guard !overflow else {
            throw AMQPError(.protocolViolation, "The broker sent more body than the header announced.")
        }
        content.remainingBytes = left
        if !content.isOversized { content.body.writeBytes(fragment) }
    }

    private mutating func finishIfComplete(_ content: Content, on channel: UInt16) -> AssembledContent? {
        guard content.remainingBytes == 0, let properties = content.properties else { return nil }
        reset(channel)
        if content.isOversized { return .oversized(content.start, bodyBytes: content.bodyBytes) }
        return .message(content.start, Message(properties: properties, body: content.body))
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
