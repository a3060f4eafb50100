import Domain

/// Why a body ended before its last byte.
enum StreamFailure: Error {
    /// The bytes could not be had: the response is cut, never padded.
    case source(ServiceError)
    /// The viewer does not take them any more.
    case viewer(any Error)
}
