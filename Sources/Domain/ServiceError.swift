/// What went wrong, in the one shape that every part of Millrace uses.
///
/// The code decides what a caller does next (and which HTTP status a viewer sees); the message is for humans and names
/// the remedy; the cause is for the log and never leaves the process that raised it.
public struct ServiceError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of failure. A receiver that does not know a code treats it as ``Code/internal``.
    public enum Code: String, Sendable, CaseIterable, Codable {
        /// The request itself is wrong; sending it again cannot help.
        case invalidArgument
        /// No credential, or one that is not valid.
        case unauthenticated
        /// A valid credential that does not allow this.
        case permissionDenied
        /// No such video, object or upload.
        case notFound
        /// The version or the state does not fit.
        case conflict
        /// Over a stated limit.
        case tooLarge
        /// A queue is full, a budget is spent or the broker is blocked; try later.
        case overloaded
        /// No worker, no broker or no database; try later.
        case unavailable
        /// Not answered in time.
        case deadlineExceeded
        /// A checksum or a length does not match what was stored.
        case corrupt
        /// The receiver does not know the method or its version.
        case unimplemented
        /// A defect; the details are in the log of the process that raised it.
        case `internal`
    }

    /// The kind of failure.
    public let code: Code
    /// One or two sentences for humans: what is wrong and how to mend it. Carries no secret.
    public let message: String
    /// What lies beneath, for the log only.
    public let cause: String?
    /// Where it was raised, as `file:line`, for the log only.
    public let location: String

    /// Makes an error that remembers where it was made.
    public init(
        _ code: Code,
        _ message: String,
        cause: (any Error)? = nil,
        file: StaticString = #fileID,
        line: UInt = #line
    ) {
        self.code = code
        self.message = message
        self.cause = cause.map { String(describing: $0) }
        self.location = "\(file):\(line)"
    }

    /// Whether the same request may succeed when it is sent again a little later.
    public var isTransient: Bool {
        switch code {
        case .overloaded, .unavailable: true
        default: false
        }
    }

    /// Everything, for the log.
    public var description: String {
        let suffix = cause.map { ", cause: \($0)" } ?? ""
        return "\(code.rawValue): \(message) (at \(location)\(suffix))"
    }

    /// Two errors are equal when a caller could not tell them apart; where they were raised does not count.
    public static func == (left: ServiceError, right: ServiceError) -> Bool {
        left.code == right.code && left.message == right.message
    }
}
