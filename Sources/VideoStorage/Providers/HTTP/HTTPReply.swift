import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a storage service answered, whole.
struct HTTPReply: Sendable {
    /// The status code.
    var status: Int
    /// Header fields.
    var headers: HTTPHeaders
    /// The body.
    var body: ByteBuffer
    /// Those of the body where it is a range (206), taken as it came.
    var pieceSums: [UInt32]?

    /// Whether the request was carried out.
    var isSuccess: Bool { (200..<300).contains(status) }

    /// The body as XML; `nil` when there is none or it is not well formed.
    var xml: XMLElement? { try? XMLReader.read(body) }

    /// The facts of a blob that the fields of an answer to GET or HEAD tell; `nil` when they are not all there.
    ///
    /// - Parameter size: The size, where the answer is about a range.
    /// - Returns: The facts.
    func facts(size: Int64? = nil) -> BlobFacts? {
        guard let tag = headers.first(name: "ETag"), let validator = EntityTag.validator(of: tag),
            let size = size ?? headers.first(name: "Content-Length").flatMap(Int64.init), size >= 0,
            let modified = headers.first(name: "Last-Modified").flatMap(CalendarTime.init(httpDate:))
        else { return nil }
        return BlobFacts(
            size: size, validator: validator, modifiedAt: Date(timeIntervalSince1970: modified.seconds),
            contentType: headers.first(name: "Content-Type"))
    }

    /// First byte and size of the whole that a `Content-Range` tells (RFC 9110 section 14.4).
    var contentRange: ContentRange? { headers.first(name: "Content-Range").flatMap(ContentRange.init) }
}

/// A `Content-Range` with all its numbers: `bytes 0-99/1234`.
struct ContentRange: Sendable, Equatable {
    /// The offset of the first byte.
    let first: Int64
    /// The offset of the last byte.
    let last: Int64
    /// The size of the whole.
    let size: Int64

    /// Reads a field; `nil` when a number is missing or they contradict each other.
    init?(_ text: String) {
        guard text.hasPrefix("bytes ") else { return nil }
        let parts = text.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let size = Int64(parts[1]) else { return nil }
        let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let first = Int64(ends[0]), let last = Int64(ends[1]), 0 <= first, first <= last,
            last < size
        else { return nil }
        self.first = first
        self.last = last
        self.size = size
    }
}
