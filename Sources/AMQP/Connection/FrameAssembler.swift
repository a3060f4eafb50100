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
    case body(UnsafeRawBufferPointer, endsFrame: Bool)
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
/// Pure: frames in, messages out. A body byte is copied once, from the frame into the message, or is read into it right away
/// (``fill(_:_:)``).
struct FrameAssembler {
    /// What one channel has begun. A class, so that a body grows where it lies instead of being taken out and put back.
    private final class Content {
        let start: ContentStart
        var properties: MessageProperties?
        var body = ByteBuffer()
        var bodyBytes: UInt64 = 0
        var remainingBytes: UInt64 = 0
        var checksum: UInt32 = 0
        var isOversized = false

        init(_ start: ContentStart) {
            self.start = start
        }
    }

    /// By channel. The numbers are ours, so they are small.
    private var contents: [Content?] = []
    private let maxBodyBytes: Int
    private let checksum: BodyChecksum?

    init(maxBodyBytes: Int, checksum: BodyChecksum? = nil) {
        self.maxBodyBytes = maxBodyBytes
        self.checksum = checksum
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
        case .body(let fragment, let endsFrame):
            guard let content, content.properties != nil else { throw outOfOrder(frame, channel) }
            try append(fragment, to: content)
            return endsFrame ? finishIfComplete(content, on: channel) : nil
        }
    }

    /// Whether the body of a channel's message has begun, and is kept.
    func isInBody(_ channel: UInt16) -> Bool {
        guard let content = content(on: channel) else { return false }
        return content.remainingBytes > 0 && !content.isOversized
    }

    /// Reads on in the body of a channel's message, to where it is kept.
    ///
    /// - Parameters:
    ///   - channel: One that ``isInBody(_:)``.
    ///   - read: Writes to the memory that it gets, which has room for what is missing.
    /// - Returns: The message, when it is whole now.
    /// - Throws: What `read` throws.
    mutating func fill(
        _ channel: UInt16, _ read: (UnsafeMutableRawBufferPointer) throws(AMQPError) -> ReceivedBody
    ) throws(AMQPError) -> AssembledContent? {
        guard isInBody(channel), let content = content(on: channel) else { return nil }
        var endsFrame = false
        let count = try content.body.write(atMost: Int(content.remainingBytes)) { room throws(AMQPError) in
            let received = try read(room)
            take(checksum, of: UnsafeRawBufferPointer(rebasing: room[..<received.count]), content)
            endsFrame = received.endsFrame
            return received.count
        }
        content.remainingBytes -= UInt64(count)
        return endsFrame ? finishIfComplete(content, on: channel) : nil
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
        guard !content.isOversized else { return }
        content.body.writeBytes(fragment)
        take(checksum, of: fragment, content)
    }

    /// While the bytes are in the processor's cache.
    private func take(_ checksum: BodyChecksum?, of bytes: UnsafeRawBufferPointer, _ content: Content) {
        if let checksum { content.checksum = checksum(bytes, content.checksum) }
    }

    private mutating func finishIfComplete(_ content: Content, on channel: UInt16) -> AssembledContent? {
        guard content.remainingBytes == 0, let properties = content.properties else { return nil }
        reset(channel)
        if content.isOversized { return .oversized(content.start, bodyBytes: content.bodyBytes) }
        var message = Message(properties: properties, body: content.body)
        if checksum != nil { message.bodyChecksum = content.checksum }
        return .message(content.start, message)
    }
}

extension ByteBuffer {
    /// What `writeWithUnsafeMutableBytes` does, which knows no typed errors.
    fileprivate mutating func write(
        atMost count: Int, _ write: (UnsafeMutableRawBufferPointer) throws(AMQPError) -> Int
    ) throws(AMQPError) -> Int {
        var failure: AMQPError?
        let written = writeWithUnsafeMutableBytes(minimumWritableBytes: count) { room in
            do throws(AMQPError) {
                return try write(UnsafeMutableRawBufferPointer(rebasing: room[..<count]))
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return written
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
