public import Domain
public import Logging

/// Handles an event for as long as its failure is one that passes.
///
/// The broker puts an event aside that has failed some times, which takes seconds, and a database may be away for longer. So
/// the event is kept back here meanwhile.
public struct EventPatience: Sendable {
    /// Longer than an election or a restart of a database, and less than the half hour after which RabbitMQ takes an event
    /// back that is not acknowledged.
    public static let standard = EventPatience(limit: .seconds(600), pause: .seconds(1), attempt: .seconds(20))

    /// How long an event is kept back.
    public var limit: Duration
    /// The pause between two attempts.
    public var pause: Duration
    /// How long one attempt may take.
    public var attempt: Duration

    /// Makes one.
    public init(limit: Duration, pause: Duration, attempt: Duration) {
        self.limit = limit
        self.pause = pause
        self.attempt = attempt
    }

    /// Handles an event. The handling has to bear repetition.
    ///
    /// - Parameters:
    ///   - what: What is being done, for the log: "an object is not deleted yet".
    ///   - logger: Where failures are told that pass.
    ///   - body: One attempt.
    /// - Throws: The last failure: one that does not pass, or any when the time is over or the task is cancelled.
    public func handle(
        _ what: String, logger: Logger, _ body: (_ deadline: Deadline) async throws(ServiceError) -> Void
    ) async throws(ServiceError) {
        let end = Deadline.after(limit)
        while true {
            do throws(ServiceError) {
                return try await body(.after(attempt))
            } catch {
                let mayPass = error.isTransient || error.code == .deadlineExceeded
                guard mayPass, !end.hasPassed(), !Task.isCancelled else { throw error }
                logger.warning("\(what)", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: pause)
        }
    }
}
