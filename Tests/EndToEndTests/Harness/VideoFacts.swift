import Foundation
import NIOCore
import TestKit

/// A record as the gateway shows it.
struct VideoFacts: Decodable {
    var id: String
    var title: String?
    var state: String
    var size: Int64?
    var revision: Int64
}

/// A page of records as the gateway shows it.
struct VideoFactsPage: Decodable {
    var videos: [VideoFacts]
    var next: String?
}

extension RawHTTPResponse {
    /// The body as a JSON document.
    func json<Document: Decodable>(_: Document.Type = Document.self) throws -> Document {
        try JSONDecoder().decode(Document.self, from: Data(body.readableBytesView))
    }
}
