/// Keeps a work below a number of bytes a second.
///
/// Pure: it is told what was done and when, and says until when to rest. What was not used for a while is not made up for.
struct Pacer: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// The most that may be done in one go after a rest, in seconds' worth of bytes.
    private static let burstSeconds = 1.0

    private let bytesPerSecond: Double?
    /// When all that was done so far would have been done at the rate.
    private var paidUntil: Instant

    /// Makes a pacer.
    ///
    /// - Parameters:
    ///   - bytesPerSecond: The rate; `nil` for none.
    ///   - now: When the work begins.
    init(bytesPerSecond: Int64?, now: Instant) {
        self.bytesPerSecond = bytesPerSecond.map { Double(max(1, $0)) }
        paidUntil = now
    }

    /// Takes note of bytes, and says when the next may be taken.
    mutating func took(_ bytes: Int, now: Instant) -> Instant {
        guard let bytesPerSecond else { return now }
        let earliest = now - .seconds(Self.burstSeconds)
        paidUntil = max(paidUntil, earliest) + .seconds(Double(bytes) / bytesPerSecond)
        return max(now, paidUntil)
    }
}
