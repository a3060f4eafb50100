internal import CRabbitMQ

// What librabbitmq cannot write it refuses in the middle of the message, and then the connection is of no use to anyone. So
// a message is looked at before it is taken.

extension PublishCommand {
    /// AMQP's short texts have one byte for their length.
    private static var maxShortTextBytes: Int { Int(UInt8.max) }
    /// All properties go into one frame. What is left of it is for the other properties, all of which are short.
    private static var maxTableBytes: Int { Int(AMQP_DEFAULT_FRAME_SIZE) - 4_096 }

    /// What keeps the message from being written, for humans, if anything does.
    var fault: String? {
        let properties = message.properties
        // One by one: an array of them would cost as much as the rest of a publish.
        let fault =
            fault(exchange, "exchange") ?? fault(routingKey, "routing key") ?? fault(properties.type, "type")
            ?? fault(properties.contentType, "content type") ?? fault(properties.correlationID, "correlation id")
            ?? fault(properties.messageID, "message id") ?? fault(properties.replyTo, "reply-to")
            ?? fault(properties.appID, "app id")
        if let fault { return fault }
        guard let bytes = properties.headers.wireBytes(maxNameBytes: Self.maxShortTextBytes) else {
            return "the name of a header is longer than \(Self.maxShortTextBytes) bytes"
        }
        return bytes > Self.maxTableBytes
            ? "its headers take \(bytes) bytes, and \(Self.maxTableBytes) is the limit" : nil
    }

    private func fault(_ text: String?, _ name: StaticString) -> String? {
        guard let text, text.utf8.count > Self.maxShortTextBytes else { return nil }
        return "its \(name) has \(text.utf8.count) bytes, and AMQP allows \(Self.maxShortTextBytes)"
    }
}

extension FieldTable {
    /// How many bytes the table takes; `nil` when a name is longer than this.
    fileprivate func wireBytes(maxNameBytes: Int) -> Int? {
        var sum = 4
        for entry in entries {
            guard entry.name.utf8.count <= maxNameBytes, let bytes = entry.value.wireBytes(maxNameBytes: maxNameBytes)
            else { return nil }
            sum += 1 + entry.name.utf8.count + bytes
        }
        return sum
    }
}

extension FieldValue {
    fileprivate func wireBytes(maxNameBytes: Int) -> Int? {
        switch self {
        case .null: return 1
        case .bool: return 2
        case .int, .double, .timestamp: return 9
        case .string(let text): return 5 + text.utf8.count
        case .bytes(let octets): return 5 + octets.count
        case .table(let table): return table.wireBytes(maxNameBytes: maxNameBytes).map { 1 + $0 }
        case .array(let values):
            var sum = 5
            for value in values {
                guard let bytes = value.wireBytes(maxNameBytes: maxNameBytes) else { return nil }
                sum += bytes
            }
            return sum
        }
    }
}
