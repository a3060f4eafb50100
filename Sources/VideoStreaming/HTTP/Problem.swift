import Domain
import HTTPTypes
import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a client is told when something goes wrong (RFC 9457, `application/problem+json`).
///
/// The type is always `about:blank`, so that the title is the status phrase; the extension member `code` says which
/// ``Domain/ServiceError`` stands behind it, where one does. The detail is for humans, names the remedy where there is
/// one, and carries nothing that belongs in the log.
struct Problem: Sendable, Equatable {
    /// The status of the response.
    var status: HTTPResponse.Status
    /// What is wrong with this request.
    var detail: String
    /// The kind of failure behind it.
    var code: ServiceError.Code?
    /// Header fields that belong to it, such as `Retry-After`.
    var fields: HTTPFields

    /// Makes a problem.
    init(
        status: HTTPResponse.Status, detail: String, code: ServiceError.Code? = nil, fields: HTTPFields = HTTPFields()
    ) {
        self.status = status
        self.detail = detail
        self.code = code
        self.fields = fields
    }

    /// The media type of a problem document.
    static let mediaType = "application/problem+json"

    /// The document.
    func document() -> ByteBuffer {
        JSONBody.encode(
            Document(type: "about:blank", title: status.reasonPhrase, status: status.code, detail: detail, code: code))
    }

    private struct Document: Encodable {
        var type: String
        var title: String
        var status: Int
        var detail: String
        var code: ServiceError.Code?
    }
}

extension Problem {
    /// A method that the resource does not have (RFC 9110 section 15.5.6).
    static func methodNotAllowed(_ method: HTTPRequest.Method, allowed: [HTTPRequest.Method]) -> Problem {
        let names = allowed.map(\.rawValue).joined(separator: ", ")
        return Problem(
            status: .methodNotAllowed,
            detail: "\(method.rawValue.prefix(32)) is not possible here. Use one of: \(names).",
            fields: [.allow: names])
    }

    /// A target that is longer than any that leads somewhere (RFC 9110 section 15.5.15).
    static func targetTooLong(_ maxBytes: Int) -> Problem {
        Problem(status: .uriTooLong, detail: "The target of a request has at most \(maxBytes) bytes here.")
    }

    /// A path that leads nowhere.
    static let unknownPath = Problem(
        status: .notFound,
        detail: "There is nothing at this path. Try /, /videos, /videos/{id}, /videos/{id}/content or /video?id={id}.")

    /// Something that must not happen; the log says what it was.
    static let defect = Problem(
        status: .internalServerError,
        detail: "Something is wrong on this side, not with the request; the log of the service says what.",
        code: .internal)
}
