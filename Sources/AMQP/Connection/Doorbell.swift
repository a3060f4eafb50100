internal import CRabbitMQ
import Glibc
internal import Synchronization

/// Wakes a thread that sleeps in `poll` on ``descriptor``.
///
/// The eventfd is written only when the thread has said that it goes to sleep, so a busy thread is given work without
/// system calls.
final class Doorbell: Sendable {
    /// Becomes readable when a sleeping thread has work.
    let descriptor: Int32
    private let isSleeping = Atomic<Bool>(false)

    init() throws(AMQPError) {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard descriptor >= 0 else {
            throw AMQPError(
                .invalidConfiguration,
                "No file descriptor is left to wake a thread with (errno \(errno)); raise `ulimit -n`.")
        }
    }

    deinit {
        _ = Glibc.close(descriptor)
    }

    /// Wakes the thread if it sleeps. Called after the work has been put where it is looked for.
    func ring() {
        // The look is cheaper than the exchange, and a busy thread makes it the usual case.
        guard isSleeping.load(ordering: .sequentiallyConsistent),
            isSleeping.exchange(false, ordering: .sequentiallyConsistent)
        else { return }
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    /// Says that the thread is about to sleep.
    ///
    /// - Parameter hasWork: Whether there is work. It is asked after the thread has said so: what is put in later rings.
    /// - Returns: Whether it may sleep; then ``awake(wasRung:)`` has to follow.
    func prepareToSleep(unless hasWork: () -> Bool) -> Bool {
        isSleeping.store(true, ordering: .sequentiallyConsistent)
        guard hasWork() else { return true }
        isSleeping.store(false, ordering: .sequentiallyConsistent)
        return false
    }

    /// Says that the thread is awake again.
    ///
    /// - Parameter wasRung: Whether the eventfd is readable; it is emptied then.
    func awake(wasRung: Bool) {
        isSleeping.store(false, ordering: .sequentiallyConsistent)
        guard wasRung else { return }
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
    }
}
