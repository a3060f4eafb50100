internal import Domain

/// How long the recent answers to one method took: enough to say after which wait an answer is unusually late.
///
/// Pure. Latencies are counted in buckets that are a quarter of a power of two wide, so a quantile is right to 19 %. When
/// 1,024 have been counted all counts are halved, so that what was long ago weighs less and less.
struct LatencyEstimate {
    /// Fewer answers than this say nothing about their slowest hundredth.
    static let minCount: UInt32 = 32
    private static let maxCount: UInt32 = 1_024
    private static let bucketsPerOctave = 4

    private var counts = [UInt32](repeating: 0, count: 40 * Self.bucketsPerOctave)
    private var total: UInt32 = 0

    /// The latency that 99 of 100 recent answers stayed below; `nil` while too few are known. Computed anew with every 32nd
    /// answer, since it is asked for with every call.
    private(set) var slowestHundredth: Duration?

    /// Takes note of one answer.
    mutating func record(_ latency: Duration) {
        if total >= Self.maxCount { halve() }
        let bucket = min(Self.bucket(of: Int64(min(latency.inSeconds, 3_600) * 1e6)), counts.count - 1)
        counts[bucket] += 1
        total += 1
        if total.isMultiple(of: Self.minCount) { slowestHundredth = computedSlowestHundredth() }
    }

    private func computedSlowestHundredth() -> Duration? {
        var above = total / 100
        for bucket in counts.indices.reversed() {
            if counts[bucket] > above { return .microseconds(Self.upperBound(of: bucket)) }
            above -= counts[bucket]
        }
        return nil
    }

    private mutating func halve() {
        total = 0
        for bucket in counts.indices {
            counts[bucket] /= 2
            total += counts[bucket]
        }
    }

    private static func bucket(of microseconds: Int64) -> Int {
        guard microseconds >= 4 else { return Int(max(0, microseconds)) }
        let octave = 63 - microseconds.leadingZeroBitCount
        let quarter = Int(microseconds >> Int64(octave - 2)) & 3
        return (octave - 1) * bucketsPerOctave + quarter
    }

    private static func upperBound(of bucket: Int) -> Int64 {
        guard bucket >= bucketsPerOctave else { return Int64(bucket) + 1 }
        let (octave, quarter) = (bucket / bucketsPerOctave + 1, bucket % bucketsPerOctave)
        return Int64(4 + quarter + 1) << Int64(octave - 2)
    }
}
