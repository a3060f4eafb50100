public import Domain
import Synchronization

/// Holds callers back until it is opened.
public final class InMemoryGate: Sendable {
    private let isOpen: Mutex<Bool>

    /// A gate, closed unless said otherwise.
    public init(isOpen: Bool = false) {
        self.isOpen = Mutex(isOpen)
    }

    /// Lets everyone through from now on.
    public func open() {
        isOpen.withLock { $0 = true }
    }

    /// Holds everyone back from now on.
    public func close() {
        isOpen.withLock { $0 = false }
    }

    /// Waits until the gate is open.
    ///
    /// - Throws: `deadlineExceeded` when the deadline comes first, `unavailable` when the task is cancelled.
    public func pass(deadline: Deadline) async throws(ServiceError) {
        while !isOpen.withLock({ $0 }) {
            try await Self.pause(.milliseconds(1), deadline: deadline)
        }
    }

    /// Sleeps, but neither past the deadline nor past the cancellation of the task.
    static func pause(_ duration: Duration, deadline: Deadline) async throws(ServiceError) {
        do {
            try await Task.sleep(for: min(duration, deadline.remaining()))
        } catch {
            throw ServiceError(.unavailable, "The call was cancelled.", cause: error)
        }
        if deadline.hasPassed() { throw ServiceError(.deadlineExceeded, "No answer came in time.") }
    }
}
