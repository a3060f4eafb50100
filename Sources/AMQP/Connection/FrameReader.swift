internal import CRabbitMQ

/// Turns librabbitmq's frames into events.
struct FrameReader {
    private var assembler: FrameAssembler
    private let recent = RecentTexts()

    init(maxBodyBytes: Int, checksum: BodyChecksum? = nil) {
        assembler = FrameAssembler(maxBodyBytes: maxBodyBytes, checksum: checksum)
    }

    /// Receives at most one frame, or what has come of a body.
    ///
    /// - Parameters:
    ///   - connection: Where it comes from.
    ///   - handle: Gets the event that it completed, if it did.
    /// - Returns: Whether there was something.
    /// - Throws: `connectionLost` or `protocolViolation`, after which the connection is of no use.
    mutating func readFrame(
        from connection: some FrameSource, _ handle: (ConnectionEvent, UInt16) throws(AMQPError) -> Void
    ) throws(AMQPError) -> Bool {
        if let channel = connection.channelInBody, assembler.isInBody(channel) {
            return try readBody(of: channel, from: connection, handle)
        }
        guard let frame = try connection.receive() else { return false }
        guard connection.hasOpened(frame.channel) else {
            throw AMQPError(
                .protocolViolation, "The broker sent a frame on channel \(frame.channel), which was never opened.")
        }
        if let event = try event(of: frame, on: connection) { try handle(event, frame.channel) }
        // After each frame, not after each message: a body may be over the limit by any amount.
        connection.releaseBuffers(of: frame.channel)
        return true
    }

    private mutating func readBody(
        of channel: UInt16, from connection: some FrameSource,
        _ handle: (ConnectionEvent, UInt16) throws(AMQPError) -> Void
    ) throws(AMQPError) -> Bool {
        var hasCome = false
        let content = try assembler.fill(channel) { room throws(AMQPError) in
            let received = try connection.receive(into: room)
            hasCome = received != nil
            return received ?? ReceivedBody(count: 0, endsFrame: false)
        }
        if let content { try handle(event(of: content), channel) }
        return hasCome
    }

    private mutating func event(
        of received: ReceivedFrame, on connection: some FrameSource
    ) throws(AMQPError) -> ConnectionEvent? {
        switch received {
        case .decoded(let frame): try event(of: frame, on: connection)
        case .body(let bytes, let endsFrame, let channel): try assemble(.body(bytes, endsFrame: endsFrame), channel)
        }
    }

    private mutating func event(
        of frame: amqp_frame_t, on connection: some FrameSource
    ) throws(AMQPError) -> ConnectionEvent? {
        switch Int32(frame.frame_type) {
        case AMQP_FRAME_METHOD:
            return try event(of: frame.payload.method, channel: frame.channel, on: connection)
        case AMQP_FRAME_HEADER:
            return try assemble(header(of: frame), frame.channel)
        case AMQP_FRAME_BODY:
            let fragment = frame.payload.body_fragment
            return try assemble(
                .body(UnsafeRawBufferPointer(start: fragment.bytes, count: fragment.len), endsFrame: true),
                frame.channel)
        default:
            return nil  // A heartbeat.
        }
    }

    /// librabbitmq makes the structure of whatever class the frame names, and only that of `basic` holds properties. Of a
    /// header that is cut short it computes a length below zero, which is an enormous one, and reads what lies behind.
    private func header(of frame: amqp_frame_t) throws(AMQPError) -> ContentFrame {
        let wire = frame.payload.properties
        guard wire.class_id == UInt16(AMQP_BASIC_CLASS), wire.raw.len <= Int(AMQP_DEFAULT_FRAME_SIZE),
            let decoded = wire.decoded
        else {
            throw AMQPError(.protocolViolation, "The broker sent a header frame that is none of a message.")
        }
        let properties = WireDecoder.properties(
            decoded.assumingMemoryBound(to: amqp_basic_properties_t.self).pointee, recent: recent)
        return .header(bodyBytes: wire.body_size, properties: properties)
    }

    private mutating func assemble(_ frame: ContentFrame, _ channel: UInt16) throws(AMQPError) -> ConnectionEvent? {
        try assembler.accept(frame, on: channel).map(event(of:))
    }

    private func event(of content: AssembledContent) -> ConnectionEvent {
        switch content {
        case .message(let start, let message): .content(start, message)
        case .oversized(let start, let bodyBytes): .oversized(start, bodyBytes: bodyBytes)
        }
    }

    private mutating func event(
        of method: amqp_method_t, channel: UInt16, on connection: some FrameSource
    ) throws(AMQPError) -> ConnectionEvent? {
        guard let decoded = method.decoded else { return nil }
        switch Int32(bitPattern: method.id) {
        case Int32(AMQP_BASIC_DELIVER_METHOD):
            let deliver = decoded.assumingMemoryBound(to: amqp_basic_deliver_t.self).pointee
            return try assemble(
                .start(
                    .deliver(
                        deliveryTag: deliver.delivery_tag, isRedelivered: deliver.redelivered != 0,
                        exchange: recent.text(deliver.exchange, at: .exchange),
                        routingKey: recent.text(deliver.routing_key, at: .routingKey))), channel)
        case Int32(AMQP_BASIC_RETURN_METHOD):
            let returned = decoded.assumingMemoryBound(to: amqp_basic_return_t.self).pointee
            return try assemble(
                .start(
                    .returned(
                        code: returned.reply_code, text: WireDecoder.string(returned.reply_text),
                        exchange: WireDecoder.string(returned.exchange),
                        routingKey: WireDecoder.string(returned.routing_key))), channel)
        case Int32(AMQP_BASIC_ACK_METHOD):
            let ack = decoded.assumingMemoryBound(to: amqp_basic_ack_t.self).pointee
            return .settled(number: ack.delivery_tag, multiple: ack.multiple != 0, accepted: true)
        case Int32(AMQP_BASIC_NACK_METHOD):
            let nack = decoded.assumingMemoryBound(to: amqp_basic_nack_t.self).pointee
            return .settled(number: nack.delivery_tag, multiple: nack.multiple != 0, accepted: false)
        case Int32(AMQP_BASIC_CANCEL_METHOD):
            let cancel = decoded.assumingMemoryBound(to: amqp_basic_cancel_t.self).pointee
            return .consumerCancelled(tag: WireDecoder.string(cancel.consumer_tag))
        case Int32(AMQP_CONNECTION_BLOCKED_METHOD):
            let blocked = decoded.assumingMemoryBound(to: amqp_connection_blocked_t.self).pointee
            return .blocked(reason: WireDecoder.string(blocked.reason))
        case Int32(AMQP_CONNECTION_UNBLOCKED_METHOD):
            return .unblocked
        case Int32(AMQP_CHANNEL_CLOSE_METHOD):
            assembler.reset(channel)
            return .channelClosed(try connection.wasClosed(channel, ServerException(method)))
        case Int32(AMQP_CONNECTION_CLOSE_METHOD):
            let exception = ServerException(method)
            connection.confirmConnectionClose()
            throw AMQPError(
                .connectionLost, "The broker closed the connection: \(exception.code) \(exception.text)")
        default:
            guard let answer = ChannelAnswer(method) else { return nil }
            // What was on its way when the channel was closed ends with it.
            if answer == .channelClosed { assembler.reset(channel) }
            try connection.answered(answer, on: channel)
            return .answered(answer)
        }
    }
}
