import Domain

/// Makes a call again while its failure is one that passes, until it is given up. For calls that may be repeated.
struct PersistentCall: Sendable {
    /// How long one attempt may take.
    let attemptDeadline: Duration
    /// When to give up.
    let giveUp: Deadline
    /// Which failures beside the usual ones are worth another attempt.
    var alsoRetried: Set<ServiceError.Code> = []

    /// Makes the call.
    ///
    /// - Throws: The last failure; `unavailable` when the task is cancelled.
    func perform<Value: Sendable>(
        _ call: (_ deadline: Deadline) async throws(ServiceError) -> Value
    ) async throws(ServiceError) -> Value {
        var pause = RetryPause(first: .milliseconds(50), limit: .seconds(1))
        while true {
            do throws(ServiceError) {
                return try await call(min(.after(attemptDeadline), giveUp))
            } catch {
                let wait = pause.next()
                let mayPass = ChunkReader.mayPass(error) || alsoRetried.contains(error.code)
                guard mayPass, giveUp.remaining() > wait, !Task.isCancelled else { throw error }
                try? await Task.sleep(for: wait)
            }
        }
    }
}
