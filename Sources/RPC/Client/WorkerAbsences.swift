/// Since when queues have been seen without a worker, so that a caller need not wait for an answer that cannot come.
///
/// The broker removes a queue that has had no worker for a while, and refuses requests to it at once. But to look at a queue
/// (`queue.declare`, passive) counts as using it: as long as readiness probes or callers look every few seconds, it is never
/// removed. What they have seen is therefore kept here.
///
/// Pure: it is told what was seen and when.
struct WorkerAbsences {
    typealias Instant = ContinuousClock.Instant

    private struct Absence {
        let first: Instant
        var last: Instant
    }

    /// As long as a queue lives without a worker, see ``ServedQueue/lifetimeWithoutWorkerSeconds``. A shorter absence is a
    /// restart, which a request sits out in the queue.
    static let limit = Duration.seconds(10)

    private var absences: [String: Absence] = [:]

    /// Takes note of how many workers a queue has.
    mutating func saw(workers: Int, of queue: String, now: Instant) {
        guard workers == 0 else {
            absences[queue] = nil
            return
        }
        if let absence = absences[queue], absence.last.duration(to: now) < Self.limit {
            absences[queue]?.last = now
        } else {
            // After a longer time without a look a worker may have come and gone.
            absences[queue] = Absence(first: now, last: now)
        }
    }

    /// Whether a queue has been without a worker for so long, whenever somebody looked, that it is better to look again
    /// before anything is sent.
    func isLong(of queue: String, now: Instant) -> Bool {
        guard let absence = absences[queue] else { return false }
        return absence.first.duration(to: now) >= Self.limit && absence.last.duration(to: now) < Self.limit
    }
}
