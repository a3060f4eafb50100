/// Remembers from which queues nobody takes, and since when.
///
/// A queue without workers vanishes after a while, and then a request to it fails at once. But looking at a queue counts
/// as using it (RabbitMQ, "Time-To-Live": a redeclaration renews the lease, and a look is a passive declaration), so as
/// long as somebody looks the queue stays. What the looks have found is therefore kept here.
///
/// Pure: it is told what was seen and when.
struct WorkerAbsence {
    typealias Instant = ContinuousClock.Instant

    /// The lifetime of a queue without workers: a shorter absence, a restart or an upgrade, only delays what is queued.
    static let limit = Duration.seconds(10)

    private var absentSince: [String: Instant] = [:]

    /// Takes note of how many workers there are.
    ///
    /// - Parameters:
    ///   - workers: How many take from the queue.
    ///   - queue: Which queue.
    ///   - instant: Since when that has been so, as far as is known.
    mutating func saw(_ workers: Int, at queue: String, since instant: Instant) {
        if workers > 0 {
            absentSince[queue] = nil
        } else {
            absentSince[queue] = min(absentSince[queue] ?? instant, instant)
        }
    }

    /// Whether nobody has been there for so long that waiting is of no use.
    func isLong(at queue: String, now: Instant) -> Bool {
        guard let since = absentSince[queue] else { return false }
        return since.duration(to: now) >= Self.limit
    }

}
