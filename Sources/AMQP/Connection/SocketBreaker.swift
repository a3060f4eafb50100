import Glibc
internal import Synchronization

/// Lets another thread break a connection whose own thread is stuck in a write.
///
/// librabbitmq writes without a time limit: against a peer that takes no bytes (TCP back-pressure, a memory alarm, a
/// black hole) it waits for ever. Shutting the socket down makes that write fail at once, and the connection is rebuilt.
final class SocketBreaker: Sendable {
    private struct State {
        var descriptor: Int32 = -1
        var writeStart: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    func attach(_ descriptor: Int32) {
        state.withLock { $0 = State(descriptor: descriptor) }
    }

    /// Must be called before the descriptor is closed, so that a number that has been given to another file is never
    /// shut down.
    func detach() {
        state.withLock { $0 = State() }
    }

    func writeBegins() {
        state.withLock { $0.writeStart = .now }
    }

    func writeEnds() {
        state.withLock { $0.writeStart = nil }
    }

    /// Breaks the connection when its present write has taken longer than this.
    ///
    /// - Returns: Whether it did.
    func breakIfStuck(for limit: Duration, now: ContinuousClock.Instant = .now) -> Bool {
        state.withLock { state in
            guard state.descriptor >= 0, let start = state.writeStart, start.duration(to: now) > limit else {
                return false
            }
            shutdown(state.descriptor, Int32(SHUT_RDWR))
            state.writeStart = nil
            return true
        }
    }
}
