import Domain
import NIOHTTP1

/// An answer of Azure's that is no success, as "Status and error codes" of the REST reference has it.
struct AzureFailure: Error, Equatable, CustomStringConvertible {
    /// The status code.
    let status: Int
    /// Azure's own code, such as `BlobNotFound`.
    let code: String
    /// Azure's words, for the log.
    let message: String

    /// Reads an answer. An answer to HEAD has the code in a field alone.
    init(_ reply: HTTPReply) {
        status = reply.status
        let error = reply.xml.flatMap { $0.name == "Error" ? $0 : nil }
        code = reply.headers.first(name: "x-ms-error-code") ?? error?["Code"]?.text ?? ""
        message = String((error?["Message"]?.text ?? "").prefix(500))
    }

    /// The status with the code.
    var description: String { "Azure answered \(status) \(code): \(message)" }

    /// The one table from Azure's errors to those of the service.
    func serviceError(_ location: StorageKey?, container: String) -> ServiceError {
        let what = location.map { "\"\($0)\"" } ?? "the container"
        switch (code, status) {
        case ("ContainerNotFound", _), ("ContainerBeingDeleted", _), ("ContainerDisabled", _):
            return ServiceError(
                .unavailable,
                "There is no container \"\(container)\" in the storage account; make it, or mend STORAGE_CONTAINER.",
                cause: self)
        case ("InvalidBlockList", _), ("InvalidBlockId", _), ("InvalidBlobOrBlock", _):
            return ServiceError(.invalidArgument, "The blocks of \(what) are not as they were staged.", cause: self)
        case ("RequestBodyTooLarge", _), ("BlockCountExceedsLimit", _), ("BlockListTooLong", _), (_, 413):
            return ServiceError(.tooLarge, "\(what) is larger than the storage service takes.", cause: self)
        case ("Md5Mismatch", _), ("Crc64Mismatch", _), ("InvalidMd5", _):
            return ServiceError(.corrupt, "The bytes for \(what) did not arrive as they were sent.", cause: self)
        case ("ServerBusy", _), (_, 429), (_, 503):
            return ServiceError(.overloaded, "The storage service has too much to do; try later.", cause: self)
        case ("OperationTimedOut", _), ("InternalError", _), (_, 500...), (_, 408):
            return ServiceError(.unavailable, "The storage service failed; try later.", cause: self)
        case ("BlobNotFound", _), (_, 404):
            return ServiceError(.notFound, "There is no object \(what) in the storage.", cause: self)
        case ("BlobAlreadyExists", _):
            return ServiceError(.conflict, "There is an object at \(what) already.", cause: self)
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
