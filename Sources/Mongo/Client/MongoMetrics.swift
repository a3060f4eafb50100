import Metrics
import Synchronization

/// What the client counts and measures, under names as Prometheus has them.
///
/// | Name | Kind | Labels |
/// |---|---|---|
/// | `millrace_mongo_operations_total` | counter | `operation`, `outcome` (`ok`, `cancelled`, or the kind of ``MongoError``) |
/// | `millrace_mongo_operation_seconds` | timer, from submission to answer | `operation` |
/// | `millrace_mongo_queue_depth` | gauge, operations that wait for a thread | – |
final class MongoMetrics: Sendable {
    private struct Key: Hashable {
        let operation: String
        let outcome: String
    }

    private struct State {
        var counters: [Key: Counter] = [:]
        var timers: [String: Metrics.Timer] = [:]
    }

    // Kept, because making one asks the factory; there are few, as both labels have few values.
    private let state = Mutex(State())
    private let depth = Gauge(label: "millrace_mongo_queue_depth")

    func record(_ operation: String, outcome: String, duration: Duration) {
        let key = Key(operation: operation, outcome: outcome)
        let (counter, timer) = state.withLock { state in
            let counter =
                state.counters[key]
                ?? Counter(
                    label: "millrace_mongo_operations_total",
                    dimensions: [("operation", operation), ("outcome", outcome)])
            let timer =
                state.timers[operation]
                ?? Metrics.Timer(label: "millrace_mongo_operation_seconds", dimensions: [("operation", operation)])
            state.counters[key] = counter
            state.timers[operation] = timer
            return (counter, timer)
        }
        counter.increment()
        timer.recordNanoseconds(Int64(duration / .nanoseconds(1)))
    }

    func recordQueueDepth(_ count: Int) {
        depth.record(count)
    }
}
