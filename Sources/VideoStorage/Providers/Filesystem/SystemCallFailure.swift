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
    ///
    /// - Parameters:
    ///   - what: The blob in quotation marks, or the directory.
    ///   - verb: What could not be done with it, as a participle: `read`, `written`.
    /// - Returns: The error, with the failure as its cause.
    func serviceError(for what: String, verb: String) -> ServiceError {
        switch number {
        case ENOENT, ENOTDIR, ENAMETOOLONG, ENXIO:
            // ENXIO: a socket, or a device without a driver. ENAMETOOLONG: a name that no file here can have.
            ServiceError(.notFound, "There is no object \(what) in the storage.", cause: self)
        case ELOOP:
            ServiceError(.invalidArgument, "\(what) is refused: its symbolic links go in circles.", cause: self)
        case EMFILE, ENFILE, ENOMEM, EAGAIN:
            ServiceError(.overloaded, "The storage worker has reached a limit of its machine; try later.", cause: self)
        case ENOSPC, EDQUOT:
            ServiceError(
                .unavailable, "The storage directory is full: \(what) could not be \(verb). Make room and try again.",
                cause: self)
        case EFBIG:
            ServiceError(.tooLarge, "\(what) is larger than a file can be in the storage directory.", cause: self)
        case ESTALE, ETIMEDOUT, EHOSTDOWN, ENODEV, ENOTCONN:
            ServiceError(.unavailable, "The storage directory does not answer; try later.", cause: self)
        case EACCES, EPERM, EROFS:
            ServiceError(
                .internal,
                "\(what) may not be \(verb) by the storage worker. Give its user the permission for the files "
                    + "and the folders above them.",
                cause: self)
        default:
            ServiceError(
                .internal, "\(what) could not be \(verb); the storage worker's log has the reason.", cause: self)
        }
    }
}
