internal import CRabbitMQ

/// Turns Swift strings and tables into the structures of librabbitmq, which hold bare pointers.
///
/// All memory of one message comes from the encoder and is given back by ``reset()``, so the pointers stay valid for
/// exactly as long as the call into the library takes. It belongs to one thread.
final class WireEncoder {
    private var allocations: [UnsafeMutableRawPointer] = []
    private var block: UnsafeMutableRawPointer
    private var used = 0
    /// Holds the properties of any usual message, so that a publish allocates nothing.
    private let blockBytes = 16_384

    init() {
        block = .allocate(byteCount: blockBytes, alignment: 16)
    }

    deinit {
        reset()
        block.deallocate()
    }

    /// Makes every pointer that was handed out invalid.
    func reset() {
        used = 0
        guard !allocations.isEmpty else { return }
        for allocation in allocations { allocation.deallocate() }
        allocations.removeAll()
    }

    func bytes(_ text: String) -> amqp_bytes_t {
        var text = text
        return text.withUTF8 { bytes(UnsafeRawBufferPointer($0)) }
    }

    func bytes(_ source: UnsafeRawBufferPointer) -> amqp_bytes_t {
        guard let base = source.baseAddress, !source.isEmpty else { return amqp_bytes_t(len: 0, bytes: nil) }
        let place = allocate(byteCount: source.count)
        place.copyMemory(from: base, byteCount: source.count)
        return amqp_bytes_t(len: source.count, bytes: place)
    }

    /// - Parameters:
    ///   - table: The entries.
    ///   - extra: One more, which stands last.
    /// - Returns: The table, valid until the next ``reset()``.
    func table(_ table: FieldTable, adding extra: FieldTable.Entry? = nil) -> amqp_table_t {
        let count = table.entries.count + (extra == nil ? 0 : 1)
        guard count > 0 else { return amqp_table_t(num_entries: 0, entries: nil) }
        let place = allocate(byteCount: MemoryLayout<amqp_table_entry_t>.stride * count)
            .bindMemory(to: amqp_table_entry_t.self, capacity: count)
        for index in table.entries.indices { (place + index).initialize(to: entry(table.entries[index])) }
        if let extra { (place + count - 1).initialize(to: entry(extra)) }
        return amqp_table_t(num_entries: Int32(count), entries: place)
    }

    private func entry(_ entry: FieldTable.Entry) -> amqp_table_entry_t {
        amqp_table_entry_t(key: bytes(entry.name), value: value(entry.value))
    }

    /// - Parameters:
    ///   - properties: The properties of a message.
    ///   - header: A header to add to them.
    /// - Returns: The properties, valid until the next ``reset()``.
    func properties(
        _ properties: MessageProperties, adding header: FieldTable.Entry? = nil
    ) -> amqp_basic_properties_t {
        var wire = amqp_basic_properties_t()
        var flags: Int32 = AMQP_BASIC_DELIVERY_MODE_FLAG
        wire.delivery_mode = properties.isPersistent ? 2 : 1
        set(properties.type, AMQP_BASIC_TYPE_FLAG, &flags, &wire.type)
        set(properties.contentType, AMQP_BASIC_CONTENT_TYPE_FLAG, &flags, &wire.content_type)
        set(properties.correlationID, AMQP_BASIC_CORRELATION_ID_FLAG, &flags, &wire.correlation_id)
        set(properties.messageID, AMQP_BASIC_MESSAGE_ID_FLAG, &flags, &wire.message_id)
        set(properties.replyTo, AMQP_BASIC_REPLY_TO_FLAG, &flags, &wire.reply_to)
        set(properties.appID, AMQP_BASIC_APP_ID_FLAG, &flags, &wire.app_id)
        let expiration = properties.expirationMilliseconds.map { String($0) }
        set(expiration, AMQP_BASIC_EXPIRATION_FLAG, &flags, &wire.expiration)
        if !properties.headers.entries.isEmpty || header != nil {
            flags |= AMQP_BASIC_HEADERS_FLAG
            wire.headers = table(properties.headers, adding: header)
        }
        wire._flags = amqp_flags_t(bitPattern: flags)
        return wire
    }

    private func set(_ text: String?, _ flag: Int32, _ flags: inout Int32, _ field: inout amqp_bytes_t) {
        guard let text else { return }
        flags |= flag
        field = bytes(text)
    }

    private func value(_ value: FieldValue) -> amqp_field_value_t {
        var wire = amqp_field_value_t()
        switch value {
        case .bool(let flag):
            wire.kind = UInt8(AMQP_FIELD_KIND_BOOLEAN.rawValue)
            wire.value.boolean = flag ? 1 : 0
        case .int(let number):
            wire.kind = UInt8(AMQP_FIELD_KIND_I64.rawValue)
            wire.value.i64 = number
        case .double(let number):
            wire.kind = UInt8(AMQP_FIELD_KIND_F64.rawValue)
            wire.value.f64 = number
        case .string(let text):
            wire.kind = UInt8(AMQP_FIELD_KIND_UTF8.rawValue)
            wire.value.bytes = bytes(text)
        case .bytes(let octets):
            wire.kind = UInt8(AMQP_FIELD_KIND_BYTES.rawValue)
            wire.value.bytes = octets.withUnsafeBytes { bytes($0) }
        case .timestamp(let seconds):
            wire.kind = UInt8(AMQP_FIELD_KIND_TIMESTAMP.rawValue)
            wire.value.u64 = seconds
        case .table(let inner):
            wire.kind = UInt8(AMQP_FIELD_KIND_TABLE.rawValue)
            wire.value.table = table(inner)
        case .array(let values):
            wire.kind = UInt8(AMQP_FIELD_KIND_ARRAY.rawValue)
            wire.value.array = array(values)
        case .null:
            wire.kind = UInt8(AMQP_FIELD_KIND_VOID.rawValue)
        }
        return wire
    }

    private func array(_ values: [FieldValue]) -> amqp_array_t {
        guard !values.isEmpty else { return amqp_array_t(num_entries: 0, entries: nil) }
        let place = allocate(byteCount: MemoryLayout<amqp_field_value_t>.stride * values.count)
            .bindMemory(to: amqp_field_value_t.self, capacity: values.count)
        for (index, item) in values.enumerated() {
            (place + index).initialize(to: value(item))
        }
        return amqp_array_t(num_entries: Int32(values.count), entries: place)
    }

    private func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
        let start = (used + 15) & ~15
        if start + byteCount <= blockBytes {
            used = start + byteCount
            return block + start
        }
        let place = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 16)
        allocations.append(place)
        return place
    }
}
