import Domain

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A system call that failed, with the number that it left in `errno`.
struct SystemCallFailure: Error, Equatable, CustomStringConvertible {
    /// The name of the call, such as `open`.
    let call: String
    /// The value of `errno`.
    let number: Int32

    /// The call, the reason in words, and the number for those who look it up.
    var description: String {
        let reason = strerror(number).map { String(cString: $0) } ?? "unknown"
        return "\(call): \(reason) (errno \(number))"
    }

    /// The one table from the errors of the file system to those of the service.
    func serviceError(for location: StorageKey) -> ServiceError {
        switch number {
        case ENOENT, ENOTDIR, ENAMETOOLONG, ENXIO:
            // ENXIO: a socket, or a device without a driver. ENAMETOOLONG: a name that no file here can have.
            ServiceError(.notFound, "There is no object \"\(location)\" in the storage.", cause: self)
        case ELOOP:
            ServiceError(.invalidArgument, "\"\(location)\" is refused: its symbolic links go in circles.", cause: self)
        case EMFILE, ENFILE, ENOMEM, EAGAIN:
            ServiceError(.overloaded, "The storage worker has reached a limit of its machine; try later.", cause: self)
        case ESTALE, ETIMEDOUT, EHOSTDOWN, ENODEV, ENOTCONN:
            ServiceError(.unavailable, "The storage directory does not answer; try later.", cause: self)
        case EACCES, EPERM:
            ServiceError(
                .internal,
                "The storage worker may not read \"\(location)\". Give its user the permission to read the file "
                    + "and to enter the folders above it.",
                cause: self)
        default:
            ServiceError(
                .internal, "\"\(location)\" could not be read; the storage worker's log has the reason.", cause: self)
        }
    }
}
