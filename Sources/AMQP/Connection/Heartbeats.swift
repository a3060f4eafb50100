/// When a connection has to show that it lives, and when the other end has not (AMQP 0-9-1, section 4.2.7).
///
/// Pure. Ours rather than librabbitmq's, which sends heartbeats in the middle of whatever else is being written.
struct Heartbeats {
    typealias Instant = ContinuousClock.Instant

    /// What was agreed with the broker; `nil` for none.
    private let interval: Duration?
    private var lastSent: Instant
    private var lastReceived: Instant

    init(agreedSeconds: Int, now: Instant) {
        interval = agreedSeconds > 0 ? .seconds(agreedSeconds) : nil
        lastSent = now
        lastReceived = now
    }

    /// Something has been written, whatever it was.
    mutating func sent(now: Instant) { lastSent = now }

    /// Something has come, whatever it was.
    mutating func received(now: Instant) { lastReceived = now }

    /// Whether a heartbeat has to be written now: half an interval after the last sign of life.
    func isDue(now: Instant) -> Bool {
        guard let interval else { return false }
        return lastSent.duration(to: now) >= interval / 2
    }

    /// Whether the other end has to be taken for dead: nothing has come for two intervals.
    func isLost(now: Instant) -> Bool {
        guard let interval else { return false }
        return lastReceived.duration(to: now) > interval * 2
    }
}
