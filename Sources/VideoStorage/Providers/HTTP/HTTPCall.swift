import NIOCore
import NIOHTTP1

/// A request to a storage service, complete but for its signature.
struct HTTPCall: Sendable {
    /// The method.
    var method: HTTPMethod
    /// The path as it stands in the request line, percent-encoded, with a `/` in front.
    var path: String
    /// The query in any order; neither names nor values are encoded. A `nil` value leaves the `=` away.
    var query: [HTTPQueryItem] = []
    /// Header fields.
    var headers = HTTPHeaders()
    /// The body; `nil` for none.
    var body: ByteBuffer?
    /// The most bytes that the answer may have.
    var maxReplyBytes = HTTPCall.defaultMaxReplyBytes

    /// A page of a listing has about 1,000 × 2 KiB at the most; an error has less.
    static let defaultMaxReplyBytes = 8 * 1_024 * 1_024

    /// The query as it stands in the request line, in the order of the encoded names, without the `?`.
    var encodedQuery: String {
        let items = query.map { item in
            HTTPQueryItem(PercentEncoding.encode(item.name), PercentEncoding.encode(item.value))
        }
        return items.sorted { ($0.name, $0.value) < ($1.name, $1.value) }.map { "\($0.name)=\($0.value)" }
            .joined(separator: "&")
    }
}
