/// What is to be acknowledged on one channel, gathered until the next flush.
///
/// One `basic.ack` with `multiple` settles every delivery up to its tag (AMQP 0-9-1, section 1.8.3.13), which spares the
/// socket and the broker most of the frames. It is used for the run of the oldest deliveries that are all done; what is done
/// before an older one is acknowledged by itself, since it must neither wait nor take the older one with it.
///
/// Pure. Bounded by the prefetch of the channel.
struct AcknowledgementBatch {
    /// One `basic.ack`.
    struct Frame: Equatable {
        let tag: UInt64
        let isMultiple: Bool
    }

    /// Delivered and not settled, ascending: the broker counts a channel's deliveries upwards.
    private var open: [UInt64] = []
    private var done: [UInt64] = []

    /// Whether everything that was delivered has been settled, and told to the broker.
    var isSettled: Bool { open.isEmpty }

    /// The broker has delivered this.
    mutating func delivered(_ tag: UInt64) {
        open.append(tag)
    }

    /// This is done with, and is told to the broker with the next flush.
    mutating func acknowledged(_ tag: UInt64) {
        done.append(tag)
    }

    /// This is being given back.
    ///
    /// - Returns: Whether it was open. To settle a delivery twice would close the channel.
    mutating func rejected(_ tag: UInt64) -> Bool {
        guard !done.contains(tag) else { return false }
        return close(tag)
    }

    /// What to tell the broker now.
    mutating func flush() -> [Frame] {
        guard !done.isEmpty else { return [] }
        done.sort()
        defer { done.removeAll(keepingCapacity: true) }
        let run = zip(open, done).prefix { $0 == $1 }.count
        var frames: [Frame] = []
        if run > 0 {
            frames.append(Frame(tag: done[run - 1], isMultiple: run > 1))
            open.removeFirst(run)
        }
        for tag in done[run...] where close(tag) { frames.append(Frame(tag: tag, isMultiple: false)) }
        return frames
    }

    private mutating func close(_ tag: UInt64) -> Bool {
        var (low, high) = (0, open.count)
        while low < high {
            let middle = (low + high) / 2
            if open[middle] < tag { low = middle + 1 } else { high = middle }
        }
        guard low < open.count, open[low] == tag else { return false }
        open.remove(at: low)
        return true
    }
}
