import Synchronization

/// Shares a number of bytes for read-ahead among the streams that are under way.
///
/// Guaranteed: all together never hold more than there is, and no stream more than its equal share at the moment when it
/// asks. Nobody waits: who gets nothing reads nothing ahead. A stream that holds more than its share, because others have
/// come since, gets nothing more until it has given some back, and it gives back with each chunk that its viewer takes.
final class ReadAheadBudget: Sendable {
    private struct State {
        var held = 0
        var streams = 0
    }

    /// One stream's part; the stream leaves the budget when it is gone.
    final class Part {
        private let budget: ReadAheadBudget
        /// Bytes that the stream holds or waits for.
        private(set) var held = 0

        fileprivate init(_ budget: ReadAheadBudget) {
            self.budget = budget
        }

        /// Takes so many bytes.
        ///
        /// - Returns: Whether there was room.
        func take(_ bytes: Int) -> Bool {
            guard budget.take(bytes, holding: held) else { return false }
            held += bytes
            return true
        }

        /// Gives bytes back.
        func giveBack(_ bytes: Int) {
            let bytes = min(bytes, held)
            held -= bytes
            budget.giveBack(bytes)
        }

        deinit {
            budget.leave(holding: held)
        }
    }

    private let maxBytes: Int
    private let state = Mutex(State())
    private let metrics: DeliveryMetrics

    /// A budget of so many bytes.
    init(maxBytes: Int, metrics: DeliveryMetrics = DeliveryMetrics()) {
        self.maxBytes = max(0, maxBytes)
        self.metrics = metrics
    }

    /// Bytes that are held.
    var held: Int { state.withLock { $0.held } }

    /// Takes a stream in.
    func enter() -> Part {
        state.withLock { $0.streams += 1 }
        return Part(self)
    }

    private func take(_ bytes: Int, holding held: Int) -> Bool {
        let isGranted = state.withLock { state in
            let share = maxBytes / max(1, state.streams)
            guard held + bytes <= share, state.held + bytes <= maxBytes else { return false }
            state.held += bytes
            return true
        }
        if isGranted { metrics.readAhead(bytes) }
        return isGranted
    }

    private func giveBack(_ bytes: Int) {
        state.withLock { $0.held -= bytes }
        metrics.readAhead(-bytes)
    }

    private func leave(holding held: Int) {
        state.withLock { state in
            state.held -= held
            state.streams -= 1
        }
        metrics.readAhead(-held)
    }
}
