public import Domain

/// Asks workers and waits for their answers.
public protocol RPCCalling: Sendable {
    /// Calls a method.
    ///
    /// Guaranteed: it returns or throws by the deadline (to 25 ms). An idempotent method is sent again when the broker
    /// or a worker is lost meanwhile, and asked for once more when its answer is late, so it may be carried out more than
    /// once, also at the same time. Another one is not: `unavailable` then means that it may have been carried out or not. Cancelling the task ends the wait at once, not the work.
    ///
    /// - Parameters:
    ///   - method: What to do.
    ///   - payload: What it is done with.
    ///   - deadline: When nobody waits for the answer any more. The broker drops the request then.
    /// - Returns: What the worker answered.
    /// - Throws: The worker's error, or `unavailable` (no worker, no broker), `overloaded` (the queue is full, the
    ///   broker is blocked, too many calls wait), `deadlineExceeded` (a worker is there but did not answer).
    func call(_ method: RPCMethod, _ payload: RPCPayload, deadline: Deadline) async throws(ServiceError) -> RPCPayload
}
