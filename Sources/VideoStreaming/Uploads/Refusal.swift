import Domain
import HTTPTypes

/// Why a request is not done: what the client is told, and what stands behind it for the log.
struct Refusal: Error, Equatable {
    /// For the client.
    var problem: Problem
    /// For the log.
    var failure: ServiceError?

    /// A refusal that has a status of its own.
    init(_ problem: Problem) {
        self.problem = problem
    }

    /// A failure of a service.
    init(_ failure: ServiceError) {
        problem = Problem(failure)
        self.failure = failure
    }

    /// The client stopped sending in the middle of the body.
    static let truncated = Refusal(
        Problem(
            status: .badRequest,
            detail: "The body ended before its end was sent; nothing of it was kept. Send it again."))

    /// The client sent nothing for too long.
    static func idle(_ limit: Duration) -> Refusal {
        Refusal(
            Problem(
                status: .requestTimeout,
                detail:
                    "Nothing came for \(Int(limit.inSeconds.rounded(.up))) seconds; nothing was kept. Send it again."))
    }

    /// The client sent too little.
    static func tooSlow(_ minBytesPerSecond: Int) -> Refusal {
        Refusal(
            Problem(
                status: .requestTimeout,
                detail: """
                    The body came at less than \(minBytesPerSecond) bytes a second; nothing was kept. Send it over a \
                    faster line, or set MIN_UPLOAD_BYTES_PER_SECOND of the gateway lower.
                    """))
    }

    /// The body is longer than uploads may be, here or in storage.
    static func tooLong(_ maxBytes: Int64) -> Refusal {
        Refusal(
            Problem(
                status: .contentTooLarge,
                detail: """
                    An upload may have \(maxBytes) bytes. MAX_UPLOAD_BYTES of the gateway sets the limit, unless the \
                    storage provider takes less.
                    """,
                code: .tooLarge))
    }

    /// The body is not what its digest says.
    static let wrongDigest = Refusal(
        Problem(
            status: .unprocessableContent,
            detail: "The body does not match the SHA-256 that was sent with it; nothing was kept. Send it again.",
            code: .corrupt))
}
