import Domain
import HTTPTypes

/// A target, and where it leads. A player asks for the same one again and again.
struct ContentTarget: Sendable {
    /// The target, as it was sent.
    var text: String
    /// The video that it names.
    var id: VideoID
    /// What it was recognized as.
    var route: Route
}

/// A request that was answered from memory, as far as the access log and the metrics want to know.
struct AnsweredRequest: Sendable {
    /// GET or HEAD.
    var method: HTTPRequest.Method
    /// What was asked for.
    var target: ContentTarget
    /// What it was answered with.
    var status: HTTPResponse.Status
    /// The request's header fields.
    var fields: HTTPFields
}

/// One range of an object that was answered from memory, and all that would be the same in an answer with another range.
struct AnsweredRange: Sendable {
    /// The request.
    var request: AnsweredRequest
    /// What the answer said of the object.
    var described: DescribedVideo
    /// What was sent.
    var range: ByteRange
    /// The date of the answer.
    var second: HTTPDate

    /// Bytes of the whole object.
    var size: Int64 { described.representation.facts.size }
}
