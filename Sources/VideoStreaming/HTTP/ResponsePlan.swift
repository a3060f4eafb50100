import Domain
import HTTPTypes

/// What to answer a request for an object's bytes with, decided before the first byte is read.
struct ResponsePlan: Sendable, Equatable {
    /// What follows the head.
    enum Body: Sendable, Equatable {
        /// Nothing: an answer to HEAD, 304, or an object of 0 bytes.
        case none
        /// These bytes of the object.
        case bytes(ByteRange)
        /// Several ranges of the object.
        case parts(MultipartRanges)
        /// A problem document.
        case problem(Problem)
    }

    /// The status.
    var status: HTTPResponse.Status
    /// The header fields; for a problem only those that the object contributes.
    var fields: HTTPFields
    /// What follows the head.
    var body: Body
}
