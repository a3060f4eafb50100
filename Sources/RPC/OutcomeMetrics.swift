internal import Domain
internal import Metrics
internal import Synchronization

/// Counts what calls came to, by method and outcome, and how long they took, by method.
///
/// A handle is made once and kept: making one asks the metrics factory, which takes longer than counting does.
final class OutcomeMetrics: Sendable {
    private struct Key: Hashable {
        let method: String
        let outcome: String
    }

    private struct Handles {
        let count: Counter
        let time: Metrics.Timer
    }

    private let counter: String
    private let timer: String
    private let handles = Mutex<[Key: Handles]>([:])

    /// - Parameters:
    ///   - counter: The name of the counter.
    ///   - timer: The name of the timer.
    init(counter: String, timer: String) {
        self.counter = counter
        self.timer = timer
    }

    /// Takes note of one call that ends now.
    ///
    /// - Parameters:
    ///   - method: One of a bounded number of names: what comes from outside must be known, or be called unknown.
    ///   - outcome: `ok`, or the code of the error.
    ///   - start: When it began.
    func record(_ method: String, _ outcome: String, since start: ContinuousClock.Instant) {
        let key = Key(method: method, outcome: outcome)
        let known = handles.withLock { handles in
            if let known = handles[key] { return known }
            let made = Handles(
                count: Counter(label: counter, dimensions: [("method", method), ("outcome", outcome)]),
                time: Metrics.Timer(label: timer, dimensions: [("method", method)]))
            handles[key] = made
            return made
        }
        known.count.increment()
        known.time.recordNanoseconds(Int64(start.duration(to: .now).inSeconds * 1e9))
    }
}
