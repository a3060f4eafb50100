internal import CRabbitMQ

extension ChannelRequest {
    /// Writes the method's frame.
    ///
    /// - Parameters:
    ///   - writer: Gets the frame.
    ///   - encoder: Has the memory for what the method points to; it is reset by the caller.
    ///   - channel: Where.
    /// - Throws: `invalidConfiguration` when a name or a table is too long.
    func write(to writer: FrameWriter, _ encoder: WireEncoder, on channel: UInt16) throws(AMQPError) {
        switch self {
        case .openChannel:
            var open = amqp_channel_open_t(out_of_band: encoder.bytes(""))
            try writer.add(method: method, &open, on: channel)
        case .closeChannel:
            var close = amqp_channel_close_t(
                reply_code: UInt16(AMQP_REPLY_SUCCESS), reply_text: encoder.bytes(""), class_id: 0, method_id: 0)
            try writer.add(method: method, &close, on: channel)
        case .closeConnection:
            var close = amqp_connection_close_t(
                reply_code: UInt16(AMQP_REPLY_SUCCESS), reply_text: encoder.bytes(""), class_id: 0, method_id: 0)
            try writer.add(method: method, &close, on: channel)
        case .selectConfirms:
            var select = amqp_confirm_select_t(nowait: 0)
            try writer.add(method: method, &select, on: channel)
        case .declareExchange, .inspectExchange, .declareQueue, .inspectQueue, .bindQueue:
            try writeDeclaration(to: writer, encoder, on: channel)
        case .setPrefetch(let count):
            var prefetch = amqp_basic_qos_t(prefetch_size: 0, prefetch_count: count, global: 0)
            try writer.add(method: method, &prefetch, on: channel)
        case .consume(let queue, let isAutomatic):
            var consume = amqp_basic_consume_t(
                ticket: 0, queue: try encoder.name(queue), consumer_tag: encoder.bytes(""), no_local: 0,
                no_ack: isAutomatic ? 1 : 0, exclusive: 0, nowait: 0, arguments: encoder.table([:]))
            try writer.add(method: method, &consume, on: channel)
        case .cancel(let tag):
            var cancel = amqp_basic_cancel_t(consumer_tag: try encoder.name(tag), nowait: 0)
            try writer.add(method: method, &cancel, on: channel)
        }
    }

    private func writeDeclaration(to writer: FrameWriter, _ encoder: WireEncoder, on channel: UInt16) throws(AMQPError)
    {
        switch self {
        case .declareExchange(let name, let kind):
            var declare = amqp_exchange_declare_t(
                ticket: 0, exchange: try encoder.name(name), type: encoder.bytes(kind.rawValue), passive: 0, durable: 1,
                auto_delete: 0, internal: 0, nowait: 0, arguments: encoder.table([:]))
            try writer.add(method: method, &declare, hasTable: true, on: channel)
        case .inspectExchange(let name):
            // The broker compares nothing that stands here but the name.
            var look = amqp_exchange_declare_t(
                ticket: 0, exchange: try encoder.name(name), type: encoder.bytes(ExchangeKind.direct.rawValue),
                passive: 1, durable: 0, auto_delete: 0, internal: 0, nowait: 0, arguments: encoder.table([:]))
            try writer.add(method: method, &look, hasTable: true, on: channel)
        case .declareQueue(let name, let lifetime, let arguments):
            let isExclusive: amqp_boolean_t = lifetime == .exclusive ? 1 : 0
            var declare = amqp_queue_declare_t(
                ticket: 0, queue: try encoder.name(name), passive: 0, durable: 1 - isExclusive, exclusive: isExclusive,
                auto_delete: isExclusive, nowait: 0, arguments: encoder.table(arguments))
            try writer.add(method: method, &declare, hasTable: true, on: channel)
        case .inspectQueue(let name):
            var look = amqp_queue_declare_t(
                ticket: 0, queue: try encoder.name(name), passive: 1, durable: 0, exclusive: 0, auto_delete: 0,
                nowait: 0,
                arguments: encoder.table([:]))
            try writer.add(method: method, &look, hasTable: true, on: channel)
        case .bindQueue(let queue, let exchange, let routingKey):
            var bind = amqp_queue_bind_t(
                ticket: 0, queue: try encoder.name(queue), exchange: try encoder.name(exchange),
                routing_key: try encoder.name(routingKey), nowait: 0, arguments: encoder.table([:]))
            try writer.add(method: method, &bind, hasTable: true, on: channel)
        default: break
        }
    }
}

extension WireEncoder {
    /// AMQP's short texts have one byte for their length.
    fileprivate func name(_ text: String) throws(AMQPError) -> amqp_bytes_t {
        guard text.utf8.count <= Int(UInt8.max) else {
            throw AMQPError(
                .invalidConfiguration, "The name \(text.prefix(40))… has \(text.utf8.count) bytes; AMQP allows 255.")
        }
        return bytes(text)
    }
}
