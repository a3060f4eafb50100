internal import CoreMetrics
internal import Synchronization

/// One line, or one histogram, of what is exposed: a name with the values of its labels.
protocol MetricSeries: AnyObject, Sendable {
    /// Writes its lines.
    ///
    /// - Parameters:
    ///   - name: The metric's name.
    ///   - labels: The labels as they are written, without braces; may be empty.
    ///   - text: Gets the lines.
    func write(_ name: String, _ labels: String, to text: inout MetricText)
}

/// A count that only grows.
final class CounterSeries: MetricSeries, CounterHandler {
    private let count = Atomic<Int64>(0)

    func increment(by amount: Int64) {
        // A counter that went back would look like a process that began anew.
        guard amount > 0 else { return }
        count.wrappingAdd(amount, ordering: .relaxed)
    }

    func reset() { count.store(0, ordering: .relaxed) }

    func write(_ name: String, _ labels: String, to text: inout MetricText) {
        text.line(name, labels, "\(count.load(ordering: .relaxed))")
    }
}

/// What is so now.
final class GaugeSeries: MetricSeries, RecorderHandler, MeterHandler {
    private let bits = Atomic<UInt64>(0)

    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    func increment(by amount: Double) { change(by: amount) }
    func decrement(by amount: Double) { change(by: -amount) }

    private func change(by amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (done, found) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if done { return }
            old = found
        }
    }

    func write(_ name: String, _ labels: String, to text: inout MetricText) {
        text.line(name, labels, MetricText.number(Double(bitPattern: bits.load(ordering: .relaxed))))
    }
}

/// How durations are spread.
final class HistogramSeries: MetricSeries, TimerHandler, RecorderHandler {
    /// Up to which durations there is a bucket, as exposed: from a chunk out of the cache to the longest that a stream stands
    /// still.
    static let bounds: [Double] = [
        0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
    ]
    private static let boundNanoseconds = bounds.map { Int64(($0 * 1e9).rounded()) }

    private struct State {
        /// By bucket; the last holds what is longer than all bounds.
        var counts = [UInt64](repeating: 0, count: HistogramSeries.bounds.count + 1)
        var nanoseconds = 0.0
    }

    private let state = Mutex(State())

    func recordNanoseconds(_ duration: Int64) {
        // A clock that is set back makes no negative duration.
        let duration = max(0, duration)
        let bucket = Self.boundNanoseconds.firstIndex { duration <= $0 } ?? Self.bounds.count
        state.withLock { state in
            state.counts[bucket] += 1
            state.nanoseconds += Double(duration)
        }
    }

    func record(_ value: Int64) { record(Double(value)) }

    /// Takes seconds.
    func record(_ value: Double) {
        guard value.isFinite else { return }
        recordNanoseconds(Int64(min(value * 1e9, 9e18)))
    }

    func write(_ name: String, _ labels: String, to text: inout MetricText) {
        let (counts, sum) = state.withLock { ($0.counts, $0.nanoseconds / 1e9) }
        let separator = labels.isEmpty ? "" : ","
        var total: UInt64 = 0
        for (index, count) in counts.enumerated() {
            total += count
            let bound = index < Self.bounds.count ? MetricText.number(Self.bounds[index]) : "+Inf"
            text.line(name + "_bucket", "\(labels)\(separator)le=\"\(bound)\"", "\(total)")
        }
        text.line(name + "_sum", labels, MetricText.number(sum))
        text.line(name + "_count", labels, "\(total)")
    }
}
