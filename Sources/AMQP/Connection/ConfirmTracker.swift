internal import DequeModule

/// Remembers which publishes the broker has not settled yet, on one channel in confirm mode.
///
/// Pure. The broker counts publishes on a channel from 1 and settles them by number, one at a time or all up to one
/// (RabbitMQ, "Publisher Confirms"). A mandatory message that no queue takes is returned first and then acknowledged,
/// so its return has to be kept until then.
struct ConfirmTracker<Entry> {
    enum Outcome: Equatable {
        /// The broker has taken it over.
        case accepted
        /// The broker has refused it: the queue is full, or it failed.
        case rejected
        /// No queue took it.
        case unroutable
    }

    private struct Pending {
        var entry: Entry?
        var wasReturned = false
    }

    private var pending: Deque<Pending> = []
    private var firstNumber: UInt64 = 1

    /// How many publishes are not settled.
    private(set) var unsettledCount = 0

    /// The number that the broker will know the next publish by.
    var nextNumber: UInt64 { firstNumber + UInt64(pending.count) }

    /// Notes a publish.
    mutating func published(_ entry: Entry) {
        pending.append(Pending(entry: entry))
        unsettledCount += 1
    }

    /// Notes that the broker sent a message back. A number that is not pending is ignored.
    mutating func returned(_ number: UInt64) {
        guard let place = place(of: number) else { return }
        pending[place].wasReturned = true
    }

    /// Notes that the broker has settled a number (and, with `multiple`, every lower one that is open).
    ///
    /// - Returns: The entries that are settled by this, in the order in which they were published.
    mutating func settled(_ number: UInt64, multiple: Bool, accepted: Bool) -> [(entry: Entry, outcome: Outcome)] {
        var settled: [(entry: Entry, outcome: Outcome)] = []
        if multiple {
            // RabbitMQ's number 0 would mean all; it never sends it, but the rule costs nothing.
            let end = number == 0 ? pending.count : min(pending.count, (place(of: number) ?? -1) + 1)
            for place in 0..<max(0, end) { settle(place, accepted: accepted, into: &settled) }
        } else if let place = place(of: number) {
            settle(place, accepted: accepted, into: &settled)
        }
        while let first = pending.first, first.entry == nil {
            pending.removeFirst()
            firstNumber += 1
        }
        return settled
    }

    /// Gives up everything that is open and starts to count anew: the channel is gone.
    mutating func reset() -> [Entry] {
        let open = pending.compactMap(\.entry)
        pending.removeAll()
        firstNumber = 1
        unsettledCount = 0
        return open
    }

    private mutating func settle(
        _ place: Int, accepted: Bool, into settled: inout [(entry: Entry, outcome: Outcome)]
    ) {
        guard let entry = pending[place].entry else { return }
        let outcome: Outcome = !accepted ? .rejected : pending[place].wasReturned ? .unroutable : .accepted
        pending[place].entry = nil
        unsettledCount -= 1
        settled.append((entry, outcome))
    }

    private func place(of number: UInt64) -> Int? {
        guard number >= firstNumber else { return nil }
        let place = number - firstNumber
        guard place < UInt64(pending.count) else { return nil }
        return Int(place)
    }
}
