internal import Synchronization

/// Whether a connection is up, for those who are not on its thread.
final class ConnectionStatus: Sendable {
    private struct State {
        var isUp = false
        var blockedReason: String?
    }

    private let state = Mutex(State())

    var isUp: Bool { state.withLock { $0.isUp } }

    /// The broker's words, while it takes no publishes.
    var blockedReason: String? { state.withLock { $0.blockedReason } }

    func set(isUp: Bool) {
        state.withLock { $0 = State(isUp: isUp, blockedReason: isUp ? $0.blockedReason : nil) }
    }

    func set(blockedReason: String?) {
        state.withLock { $0.blockedReason = blockedReason }
    }
}
