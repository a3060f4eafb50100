import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Writes the JSON documents of the gateway: keys in order, slashes plain, dates as ISO 8601 in UTC.
enum JSONBody {
    /// The media type of a plain JSON document.
    static let mediaType = "application/json"

    /// The document's bytes. The gateway's documents are made of texts, whole numbers and dates, which always encode;
    /// should one not, an empty object is sent rather than nothing.
    static func encode(_ document: some Encodable) -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        guard let data = try? encoder.encode(document) else { return ByteBuffer(string: "{}") }
        return ByteBuffer(bytes: data)
    }
}
