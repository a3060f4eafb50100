import Domain
import HTTPTypes
import Hummingbird
import NIOCore

/// What a handler answers with. The server turns it into a response, and keeps account of what was sent.
struct Reply: Sendable {
    /// What follows the head.
    enum Body: Sendable {
        /// Nothing. The fields say what the length would have been, where there is one.
        case none
        /// These bytes; the server sets the length, and leaves them out when it answers HEAD.
        case bytes(ByteBuffer)
        /// A video; the fields say its length.
        case stream(ContentStream)
    }

    /// The status.
    var status: HTTPResponse.Status
    /// The header fields.
    var fields: HTTPFields
    /// What follows the head.
    var body: Body
    /// What went wrong, for the log.
    var failure: ServiceError?
    /// Whether the connection is closed after it: what is still to come of the request's body is not wanted.
    var closesConnection = false

    /// Makes a reply.
    init(status: HTTPResponse.Status, fields: HTTPFields, body: Body, failure: ServiceError? = nil) {
        self.status = status
        self.fields = fields
        self.body = body
        self.failure = failure
    }
}

extension Reply {
    /// A problem document, with the header fields that the problem asks for and those that are given.
    init(_ problem: Problem, fields: HTTPFields = HTTPFields(), failure: ServiceError? = nil) {
        var fields = fields
        for field in problem.fields { fields[field.name] = field.value }
        fields[.contentType] = Problem.mediaType
        fields[.xContentTypeOptions] = "nosniff"
        if fields[.cacheControl] == nil { fields[.cacheControl] = "no-store" }
        self.init(status: problem.status, fields: fields, body: .bytes(problem.document()), failure: failure)
    }

    /// The problem document of a service's error.
    init(_ error: ServiceError) {
        self.init(Problem(error), failure: error)
    }

    /// The problem document of a request that is not done. A body that it may still be sending is not waited for.
    init(_ refusal: Refusal, to request: Request, _ context: GatewayContext) {
        self.init(refusal.problem, failure: refusal.failure)
        closesConnection = UploadBody(request, channel: context.channel).isPresent
    }

    /// A JSON document. It may change at any time, so that caches have to ask.
    init(status: HTTPResponse.Status = .ok, json document: some Encodable, fields: HTTPFields = HTTPFields()) {
        var fields = fields
        fields[.contentType] = JSONBody.mediaType
        fields[.xContentTypeOptions] = "nosniff"
        fields[.cacheControl] = "no-cache"
        self.init(status: status, fields: fields, body: .bytes(JSONBody.encode(document)))
    }
}
