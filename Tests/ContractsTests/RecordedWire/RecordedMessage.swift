import AMQP
import Foundation
import NIOCore
import Testing

/// A message as it stands in a file of recorded ones: its headers, and its body as text, or in hexadecimal digits where it is
/// none.
struct RecordedMessage: Codable, Equatable {
    enum Header: Codable, Equatable {
        case text(String)
        case number(Int64)
        case flag(Bool)

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let flag = try? value.decode(Bool.self) {
                self = .flag(flag)
            } else if let number = try? value.decode(Int64.self) {
                self = .number(number)
            } else {
                self = .text(try value.decode(String.self))
            }
        }

        func encode(to encoder: any Encoder) throws {
            var value = encoder.singleValueContainer()
            switch self {
            case .text(let text): try value.encode(text)
            case .number(let number): try value.encode(number)
            case .flag(let flag): try value.encode(flag)
            }
        }
    }

    var type: String?
    var messageID: String?
    var contentType: String
    var headers: [String: Header]
    var text: String?
    var hexadecimal: String?

    init(_ message: Message, type: String? = nil, messageID: String? = nil) {
        self.type = type
        self.messageID = messageID
        contentType = message.properties.contentType ?? ""
        headers = Dictionary(
            uniqueKeysWithValues: message.properties.headers.entries.compactMap { entry in
                switch entry.value {
                case .string(let text): (entry.name, .text(text))
                case .int(let number): (entry.name, .number(number))
                case .bool(let flag): (entry.name, .flag(flag))
                default: nil
                }
            })
        if contentType == "application/json" {
            text = String(buffer: message.body)
        } else {
            hexadecimal = message.body.readableBytesView.map { String(format: "%02x", $0) }.joined()
        }
    }

    /// The message, with what a later version may add: members of JSON, and headers of kinds that nobody here knows.
    func message(withAdditions: Bool) throws -> Message {
        var table = FieldTable(
            headers.sorted { $0.key < $1.key }.map { name, header in
                switch header {
                case .text(let text): FieldTable.Entry(name, .string(text))
                case .number(let number): FieldTable.Entry(name, .int(number))
                case .flag(let flag): FieldTable.Entry(name, .bool(flag))
                }
            })
        var body = ByteBuffer()
        if let text { body.writeString(text) }
        if let hexadecimal {
            var rest = hexadecimal[...]
            while !rest.isEmpty {
                body.writeInteger(try #require(UInt8(rest.prefix(2), radix: 16)))
                rest = rest.dropFirst(2)
            }
        }
        if withAdditions {
            table["future-text"] = .string("later")
            table["future-number"] = .int(-7)
            table["future-table"] = .table(["a": .array([.bool(true), .null])])
            table["traceparent"] = .string("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            body = try Self.withAdditions(body)
        }
        return Message(properties: MessageProperties(contentType: contentType, headers: table), body: body)
    }

    private static func withAdditions(_ body: ByteBuffer) throws -> ByteBuffer {
        guard var members = try? JSONSerialization.jsonObject(with: Data(body.readableBytesView)) as? [String: Any]
        else { return body }
        members["futureMember"] = ["a": [1, "b", NSNull()] as [Any]]
        return ByteBuffer(bytes: try JSONSerialization.data(withJSONObject: members))
    }

    /// Whether another message says all that this one does; it may say more.
    func isContained(in other: RecordedMessage) -> Bool {
        guard contentType == other.contentType, hexadecimal == other.hexadecimal, type == other.type,
            messageID == other.messageID, headers.allSatisfy({ other.headers[$0.key] == $0.value })
        else { return false }
        guard let text else { return other.text == nil }
        guard let own = try? JSONSerialization.jsonObject(with: Data(text.utf8)),
            let others = try? JSONSerialization.jsonObject(with: Data((other.text ?? "").utf8))
        else { return false }
        return Self.isContained(own, in: others)
    }

    private static func isContained(_ own: Any, in other: Any) -> Bool {
        switch (own, other) {
        case (let own as [String: Any], let other as [String: Any]):
            return own.allSatisfy { name, value in other[name].map { isContained(value, in: $0) } ?? false }
        case (let own as [Any], let other as [Any]):
            return own.count == other.count && zip(own, other).allSatisfy { isContained($0, in: $1) }
        default:
            return (own as? NSObject) == (other as? NSObject)
        }
    }
}
