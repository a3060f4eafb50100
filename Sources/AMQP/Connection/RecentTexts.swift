internal import CRabbitMQ
import Glibc

/// The texts of the message before. Most messages have the same exchange, type and so on as the one before them, and to
/// compare a text costs less than to make one.
final class RecentTexts {
    /// Where in a message a text stands.
    enum Place: Int, CaseIterable {
        case exchange, routingKey, type, contentType, replyTo, appID
    }

    private var texts = [String](repeating: "", count: Place.allCases.count)

    /// The text of a place.
    func text(_ bytes: amqp_bytes_t, at place: Place) -> String {
        let recent = texts[place.rawValue]
        if bytes.areEqual(to: recent) { return recent }
        let text = WireDecoder.string(bytes)
        texts[place.rawValue] = text
        return text
    }
}

extension amqp_bytes_t {
    /// Whether these are the bytes of a text.
    func areEqual(to text: String) -> Bool {
        guard let bytes, text.utf8.count == len else { return text.isEmpty && len == 0 }
        return text.utf8.withContiguousStorageIfAvailable { utf8 in
            utf8.baseAddress.map { memcmp($0, bytes, len) == 0 } ?? true
        } ?? false
    }
}
