internal import CRabbitMQ

/// Turns the structures of librabbitmq, which are valid until the next release of its buffers, into Swift values.
///
/// Text that is not valid UTF-8 never fails: where AMQP says text, what is invalid is replaced; in a table it becomes
/// bytes.
enum WireDecoder {
    /// Deeper tables are cut off. RabbitMQ's own headers (`x-death`) need three levels.
    private static let maxDepth = 8

    static func string(_ bytes: amqp_bytes_t) -> String {
        guard let base = bytes.bytes, bytes.len > 0 else { return "" }
        return String(decoding: UnsafeRawBufferPointer(start: base, count: bytes.len), as: UTF8.self)
    }

    static func properties(
        _ wire: amqp_basic_properties_t, recent: RecentTexts = RecentTexts()
    ) -> MessageProperties {
        let flags = Int32(bitPattern: wire._flags)
        func text(_ flag: Int32, _ bytes: amqp_bytes_t, like place: RecentTexts.Place? = nil) -> String? {
            guard flags & flag != 0 else { return nil }
            return place.map { recent.text(bytes, at: $0) } ?? string(bytes)
        }
        return MessageProperties(
            type: text(AMQP_BASIC_TYPE_FLAG, wire.type, like: .type),
            contentType: text(AMQP_BASIC_CONTENT_TYPE_FLAG, wire.content_type, like: .contentType),
            correlationID: text(AMQP_BASIC_CORRELATION_ID_FLAG, wire.correlation_id),
            messageID: text(AMQP_BASIC_MESSAGE_ID_FLAG, wire.message_id),
            replyTo: text(AMQP_BASIC_REPLY_TO_FLAG, wire.reply_to, like: .replyTo),
            expirationMilliseconds: text(AMQP_BASIC_EXPIRATION_FLAG, wire.expiration).flatMap { Int64($0) },
            appID: text(AMQP_BASIC_APP_ID_FLAG, wire.app_id, like: .appID),
            isPersistent: flags & AMQP_BASIC_DELIVERY_MODE_FLAG != 0 && wire.delivery_mode == 2,
            headers: flags & AMQP_BASIC_HEADERS_FLAG != 0 ? table(wire.headers, depth: 0) : [:])
    }

    static func table(_ wire: amqp_table_t, depth: Int) -> FieldTable {
        guard let entries = wire.entries, wire.num_entries > 0, depth < maxDepth else { return [:] }
        return FieldTable(
            (0..<Int(wire.num_entries)).map { index in
                FieldTable.Entry(string(entries[index].key), value(entries[index].value, depth: depth + 1))
            })
    }

    private static func value(_ wire: amqp_field_value_t, depth: Int) -> FieldValue {
        switch amqp_field_value_kind_t(UInt32(wire.kind)) {
        case AMQP_FIELD_KIND_BOOLEAN: .bool(wire.value.boolean != 0)
        case AMQP_FIELD_KIND_I8: .int(Int64(wire.value.i8))
        case AMQP_FIELD_KIND_U8: .int(Int64(wire.value.u8))
        case AMQP_FIELD_KIND_I16: .int(Int64(wire.value.i16))
        case AMQP_FIELD_KIND_U16: .int(Int64(wire.value.u16))
        case AMQP_FIELD_KIND_I32: .int(Int64(wire.value.i32))
        case AMQP_FIELD_KIND_U32: .int(Int64(wire.value.u32))
        case AMQP_FIELD_KIND_I64: .int(wire.value.i64)
        case AMQP_FIELD_KIND_U64: .int(Int64(clamping: wire.value.u64))
        case AMQP_FIELD_KIND_F32: .double(Double(wire.value.f32))
        case AMQP_FIELD_KIND_F64: .double(wire.value.f64)
        case AMQP_FIELD_KIND_UTF8: text(wire.value.bytes)
        case AMQP_FIELD_KIND_BYTES: .bytes(octets(wire.value.bytes))
        case AMQP_FIELD_KIND_TIMESTAMP: .timestamp(wire.value.u64)
        case AMQP_FIELD_KIND_TABLE: .table(table(wire.value.table, depth: depth))
        case AMQP_FIELD_KIND_ARRAY: .array(array(wire.value.array, depth: depth))
        default: .null
        }
    }

    private static func array(_ wire: amqp_array_t, depth: Int) -> [FieldValue] {
        guard let entries = wire.entries, wire.num_entries > 0, depth < maxDepth else { return [] }
        return (0..<Int(wire.num_entries)).map { value(entries[$0], depth: depth + 1) }
    }

    private static func text(_ bytes: amqp_bytes_t) -> FieldValue {
        // What was not valid has been replaced, so it has other bytes now. (`String(validating:)` takes several times as
        // long: it goes through generic code byte by byte.)
        let text = string(bytes)
        return bytes.areEqual(to: text) ? .string(text) : .bytes(octets(bytes))
    }

    private static func octets(_ bytes: amqp_bytes_t) -> [UInt8] {
        guard let base = bytes.bytes, bytes.len > 0 else { return [] }
        return Array(UnsafeRawBufferPointer(start: base, count: bytes.len))
    }
}
