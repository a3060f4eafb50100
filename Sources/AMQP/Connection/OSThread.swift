internal import CRabbitMQ
import Glibc
internal import Synchronization

/// A thread of the operating system, for calls that block. Swift's own pool must never wait in one.
final class OSThread: Sendable {
    private enum State {
        case running([CheckedContinuation<Void, Never>])
        case ended
    }

    /// librabbitmq 0.11 reads nested tables by recursion, as deep as whoever sends a message likes: 26,000 levels fit into a
    /// frame and take 3 MiB. What a thread gets otherwise depends on `ulimit -s` and on the C library.
    static let stackBytes = 16 * 1_024 * 1_024

    private let state = Mutex(State.running([]))

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - name: At most 15 bytes; what `top -H` shows.
    ///   - body: What it does; the thread ends when this returns.
    init(name: String, body: @escaping @Sendable () -> Void) {
        let start = Unmanaged.passRetained(
            ThreadStart { [weak self] in
                millrace_name_thread(name)
                body()
                self?.end()
            })
        var thread = pthread_t()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, Self.stackBytes)
        let status = pthread_create(&thread, &attributes, runThread, start.toOpaque())
        pthread_attr_destroy(&attributes)
        // Without a thread there is no connection, and nothing in this process could work.
        precondition(status == 0, "no thread can be started (errno \(status)); raise the limit on processes")
        pthread_detach(thread)
    }

    /// Waits until the thread has ended, without blocking.
    func ended() async {
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                guard case .running(let waiters) = state else { return true }
                state = .running(waiters + [continuation])
                return false
            }
            if hasEnded { continuation.resume() }
        }
    }

    private func end() {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            guard case .running(let waiters) = state else { return [] }
            state = .ended
            return waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}

private final class ThreadStart: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let argument { Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue().body() }
    return nil
}
