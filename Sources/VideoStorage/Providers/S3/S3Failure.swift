import Domain

/// An answer of S3's that is no success, as "Error Responses" of the Amazon S3 API reference has it.
struct S3Failure: Error, Equatable, CustomStringConvertible {
    /// The status code.
    let status: Int
    /// S3's own code, such as `NoSuchKey`; empty where the answer has no body, as one to HEAD.
    let code: String
    /// S3's words, for the log.
    let message: String

    /// Reads an answer.
    init(_ reply: HTTPReply) {
        status = reply.status
        let error = reply.xml.flatMap { $0.name == "Error" ? $0 : nil }
        code = error?["Code"]?.text ?? ""
        message = String((error?["Message"]?.text ?? "").prefix(500))
    }

    /// The status with the code.
    var description: String { "S3 answered \(status) \(code): \(message)" }

    /// The one table from S3's errors to those of the service.
    func serviceError(_ location: StorageKey?, bucket: String) -> ServiceError {
        let what = location.map { "\"\($0)\"" } ?? "the bucket"
        switch (code, status) {
        case ("NoSuchBucket", _):
            return ServiceError(
                .unavailable, "There is no bucket \"\(bucket)\" at the storage service; make it, or mend S3_BUCKET.",
                cause: self)
        case ("NoSuchUpload", _):
            return ServiceError(
                .notFound, "There is no upload to \(what): it is over, or was never begun.", cause: self)
        case ("InvalidPart", _), ("InvalidPartOrder", _), ("EntityTooSmall", _):
            return ServiceError(.invalidArgument, "The blocks of \(what) are not as they were staged.", cause: self)
        case ("EntityTooLarge", _):
            return ServiceError(.tooLarge, "\(what) is larger than the storage service takes.", cause: self)
        case ("BadDigest", _), ("XAmzContentSHA256Mismatch", _), ("IncompleteBody", _), ("InvalidDigest", _):
            return ServiceError(.corrupt, "The bytes for \(what) did not arrive as they were sent.", cause: self)
        case ("SlowDown", _), ("ServiceUnavailable", _), ("TooManyRequests", _), (_, 429), (_, 503):
            return ServiceError(.overloaded, "The storage service has too much to do; try later.", cause: self)
        case ("RequestTimeout", _), ("OperationAborted", _), ("InternalError", _), (_, 500...):
            return ServiceError(.unavailable, "The storage service failed; try later.", cause: self)
        case ("NoSuchKey", _), (_, 404):
            return ServiceError(.notFound, "There is no object \(what) in the storage.", cause: self)
        case (_, 412):
            return ServiceError(.conflict, "\(what) has changed; ask again for its current version.", cause: self)
        case (_, 416):
            return ServiceError(.invalidArgument, "The range begins past the end of \(what).", cause: self)
        default:
            return ServiceError(
                .internal, "The storage service refused a request; the storage worker's log has the reason.",
                cause: self)
        }
    }
}
