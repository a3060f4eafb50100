import Domain
import HTTPTypes
import Logging
import ServiceKit

/// A request and its response, after the last byte: what the access log and the metrics are made of.
struct EndedExchange: Sendable {
    /// The request's method.
    var method: HTTPRequest.Method
    /// The request's target, as it was sent.
    var target: String
    /// The pattern of the route, or `unknown`.
    var route: String
    /// The status that was sent; `nil` when the client had gone before.
    var status: HTTPResponse.Status?
    /// Bytes of the body that the connection took. The kernel may still have held the last of them when a client went away.
    var sentBytes: Int64
    /// How it ended.
    var outcome: Outcome
    /// From the request's head to the end of the body.
    var duration: Duration
    /// From the request's head to the first byte of the body.
    var timeToFirstByte: Duration?
    /// The trace that it belongs to.
    var trace: TraceContext?

    /// The most bytes of a target that are logged.
    static let maxTargetBytes = 512

    /// Writes the line of the access log.
    func log(to logger: Logger) {
        // What nobody reads is not put together.
        guard logger.logLevel <= .info else { return }
        var metadata: Logger.Metadata = [
            "method": "\(method.rawValue.prefix(32))",
            "target": "\(String(decoding: target.utf8.prefix(Self.maxTargetBytes), as: UTF8.self))",
            "status": "\(status.map { String($0.code) } ?? "none")",
            "bytes": "\(sentBytes)",
            "duration_ms": "\(duration.wholeMilliseconds)",
            "outcome": "\(outcome.rawValue)",
        ]
        if let timeToFirstByte { metadata["first_byte_ms"] = "\(timeToFirstByte.wholeMilliseconds)" }
        // An exchange may end where its task's own context is not known.
        if let trace { metadata.merge(trace.logMetadata) { $1 } }
        logger.info("request", metadata: metadata)
    }
}
