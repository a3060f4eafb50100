import Domain
import Synchronization

/// Tells work on a thread of its own that nobody waits for it any more. Tasks know when they are cancelled, threads
/// need to be told.
final class CancellationMark: Sendable {
    private let cancelled = Atomic<Bool>(false)
    private let deadline: Deadline

    /// Makes a mark that is also set when the deadline has passed.
    init(deadline: Deadline) {
        self.deadline = deadline
    }

    /// Sets the mark; it stays set.
    func cancel() {
        cancelled.store(true, ordering: .relaxed)
    }

    /// Throws `deadlineExceeded` when the work is of no use any more.
    func check() throws(ServiceError) {
        guard !cancelled.load(ordering: .relaxed) else {
            throw ServiceError(.deadlineExceeded, "The request was cancelled before it was answered.")
        }
        guard !deadline.hasPassed() else {
            throw ServiceError(.deadlineExceeded, "The storage did not answer in time.")
        }
    }
}
