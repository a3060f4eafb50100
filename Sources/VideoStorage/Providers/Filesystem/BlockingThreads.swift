import Domain
import NIOPosix
import Synchronization

/// Threads for system calls that block, so that the cooperative pool never does.
///
/// The queue before them is bounded: work beyond it is turned away with `overloaded`. Work whose deadline has passed or
/// whose task was cancelled by the time a thread is free is not started.
final class BlockingThreads: Sendable {
    /// Enough to keep a disk's queue busy and small enough that their stacks do not matter. Reads from the page cache
    /// need no more than the machine has cores.
    static let defaultCount = 8
    /// The worker's own limit on concurrent requests is lower; this one only keeps a mistake there from eating memory.
    static let defaultMaxPending = 4_096

    private let pool: NIOThreadPool
    private let maxPending: Int
    private let pending = Atomic<Int>(0)

    /// Starts the threads.
    ///
    /// - Parameters:
    ///   - count: How many threads.
    ///   - maxPending: How many pieces of work may be waiting or under way.
    init(count: Int = defaultCount, maxPending: Int = defaultMaxPending) {
        self.pool = NIOThreadPool(numberOfThreads: max(1, count))
        self.maxPending = max(1, maxPending)
        pool.start()
    }

    deinit {
        // Does nothing when `shutdown` has been awaited. The threads end by themselves.
        pool.shutdownGracefully { _ in }
    }

    /// Ends the threads when the work that is under way is done; work that waits is turned away.
    func shutdown() async {
        // A pool of one's own can always be stopped: the error exists for the shared one.
        try? await pool.shutdownGracefully()
    }

    /// Runs blocking work on a thread and waits for it.
    ///
    /// - Parameters:
    ///   - deadline: When the result is of no use any more; work that has not started by then does not start.
    ///   - work: What to do. It should look at the mark between system calls.
    /// - Returns: What the work gave.
    /// - Throws: What the work threw; `overloaded`, `unavailable` (the threads are shut down) or `deadlineExceeded` when it
    ///   did not start.
    func run<Value: Sendable>(
        deadline: Deadline,
        _ work: @escaping @Sendable (CancellationMark) throws(ServiceError) -> Value
    ) async throws(ServiceError) -> Value {
        guard pending.add(1, ordering: .relaxed).newValue <= maxPending else {
            pending.subtract(1, ordering: .relaxed)
            throw ServiceError(.overloaded, "Too many requests wait for the disk; try later.")
        }
        let mark = CancellationMark(deadline: deadline)
        // Not `runIfActive`: it remembers the number of each call that was cancelled while it ran for ever.
        let result: Result<Value, ServiceError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                pool.submit { [self] state in
                    let result = Result<Value, ServiceError> { () throws(ServiceError) in
                        guard state == .active else {
                            throw ServiceError(.unavailable, "The storage worker is stopping; try later.")
                        }
                        try mark.check()
                        return try work(mark)
                    }
                    pending.subtract(1, ordering: .relaxed)
                    continuation.resume(returning: result)
                }
            }
        } onCancel: {
            mark.cancel()
        }
        return try result.get()
    }
}
