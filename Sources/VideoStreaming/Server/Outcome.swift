/// How a response ended.
enum Outcome: String, Sendable {
    /// Every byte was handed to the connection.
    case complete
    /// The gateway ended it early, because the bytes could not be had or the process stops.
    case cut
    /// The client went away.
    case aborted
    /// The gateway ended it early, because the client took nothing of it for too long.
    case stalled
}
