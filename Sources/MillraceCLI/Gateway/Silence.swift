import Synchronization

/// Waits until nothing has been heard for so long.
final class Silence: Sendable {
    private let limit: Duration
    private let heard = Mutex(ContinuousClock.now)

    /// Begins now.
    init(limit: Duration) {
        self.limit = limit
    }

    /// Something was heard: it begins anew.
    func isBroken() {
        heard.withLock { $0 = .now }
    }

    /// Returns when it has lasted for the limit.
    ///
    /// - Throws: `CancellationError`.
    func lasts() async throws {
        while true {
            let end = heard.withLock { $0 } + limit
            if end <= .now { return }
            try await Task.sleep(until: end, clock: .continuous)
        }
    }
}
