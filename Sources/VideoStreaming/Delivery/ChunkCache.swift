import DequeModule
import Domain
import NIOCore

/// Keeps chunks in a bounded number of bytes, and keeps those that are used again.
///
/// This is S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi: *FIFO Queues are All You Need for Cache Eviction*, SOSP '23). A new chunk
/// enters a small queue. At that queue's end it moves to the main queue if it was used meanwhile, and is dropped
/// if not; its address is remembered for a while, and a chunk that is asked for again by then enters the main queue at once.
/// At the main queue's end a chunk that was used goes round once more. So a scan passes through the small queue, and what is
/// in the main queue stays.
///
/// It differs from the paper in one point: uses count only when ``correlatedShare`` of the room has been filled anew since
/// the last one that counted. A player asks for a chunk in several pieces within a moment, and that is one use; in exchange
/// a single use is enough for the main queue.
///
/// Guaranteed: the bytes that it holds, each chunk's bookkeeping included, are never more than its capacity. Each
/// operation takes constant time on average, except to forget, which chunks never need: they do not change.
struct ChunkCache: AnswerMemory {
    private enum Queue {
        case small
        case main
    }

    private struct Entry {
        var chunk: Chunk
        var bytes: Int
        var queue: Queue
        /// How often it goes round yet.
        var uses: UInt8 = 0
        /// What ``inserted`` was when a use counted last.
        var usedAt: Int
    }

    /// The share of the small queue, as the paper has it.
    static let smallShare = 0.1
    /// How much of the room has to be filled anew for the next use to count.
    static let correlatedShare = 1.0 / 64
    /// As in the paper: two bits.
    static let maxUses: UInt8 = 3
    /// Key, entry and places in queues, rounded up.
    static let bookkeepingBytes = 512

    private let capacityBytes: Int
    private let smallBytes: Int
    private let correlatedBytes: Int
    private var entries: [ChunkAddress: Entry] = [:]
    private var small: Deque<ChunkAddress> = []
    private var main: Deque<ChunkAddress> = []
    private var ghosts: Set<ChunkAddress> = []
    private var ghostOrder: Deque<ChunkAddress> = []
    private var bytesInSmall = 0
    private var bytesInMain = 0
    /// Bytes that were ever taken in: the clock.
    private var inserted = 0

    /// A cache that holds at most so many bytes; 0 holds nothing.
    init(capacityBytes: Int) {
        self.capacityBytes = max(0, capacityBytes)
        smallBytes = Int(Double(self.capacityBytes) * Self.smallShare)
        correlatedBytes = Int(Double(self.capacityBytes) * Self.correlatedShare)
    }

    /// Bytes that it holds.
    var bytes: Int { bytesInSmall + bytesInMain }
    /// Chunks that it holds.
    var count: Int { entries.count }

    mutating func answer(to key: ChunkAddress, now: ContinuousClock.Instant) -> Chunk? {
        guard let index = entries.index(forKey: key) else { return nil }
        let entry = entries.values[index]
        if entry.uses < Self.maxUses, inserted - entry.usedAt >= correlatedBytes {
            entries.values[index].uses += 1
            entries.values[index].usedAt = inserted
        }
        return entry.chunk
    }

    /// Whether a chunk is there; not a use of it.
    func holds(_ key: ChunkAddress) -> Bool {
        entries[key] != nil
    }

    mutating func keep(_ chunk: Chunk, to key: ChunkAddress, asked: ContinuousClock.Instant) {
        // A slice keeps all of its memory alive, so that counts, not the slice.
        let bytes = max(chunk.bytes.readableBytes, chunk.bytes.storageCapacity) + Self.bookkeepingBytes
        guard entries[key] == nil, bytes <= capacityBytes else { return }
        while self.bytes + bytes > capacityBytes { evict() }
        inserted += bytes
        let isKnown = ghosts.remove(key) != nil
        entries[key] = Entry(chunk: chunk, bytes: bytes, queue: isKnown ? .main : .small, usedAt: inserted)
        if isKnown {
            main.append(key)
            bytesInMain += bytes
        } else {
            small.append(key)
            bytesInSmall += bytes
        }
    }

    mutating func forget(_ key: ChunkAddress) {
        guard let entry = entries.removeValue(forKey: key) else { return }
        discount(entry)
        switch entry.queue {
        case .small: small.removeAll { $0 == key }
        case .main: main.removeAll { $0 == key }
        }
    }
}

// MARK: - Making room

extension ChunkCache {
    private mutating func evict() {
        if bytesInSmall > smallBytes || main.isEmpty, let key = small.popFirst() {
            evictFromSmall(key)
        } else if let key = main.popFirst() {
            evictFromMain(key)
        }
    }

    private mutating func evictFromSmall(_ key: ChunkAddress) {
        guard let entry = entries[key] else { return }
        if entry.uses > 0 {
            bytesInSmall -= entry.bytes
            bytesInMain += entry.bytes
            entries[key]?.queue = .main
            entries[key]?.uses = 0
            main.append(key)
        } else {
            entries[key] = nil
            discount(entry)
            remember(key)
        }
    }

    private mutating func evictFromMain(_ key: ChunkAddress) {
        guard let entry = entries[key] else { return }
        if entry.uses > 0 {
            entries[key]?.uses -= 1
            main.append(key)
        } else {
            entries[key] = nil
            discount(entry)
        }
    }

    private mutating func discount(_ entry: Entry) {
        switch entry.queue {
        case .small: bytesInSmall -= entry.bytes
        case .main: bytesInMain -= entry.bytes
        }
    }

    /// As many addresses are remembered as there are chunks.
    private mutating func remember(_ key: ChunkAddress) {
        ghosts.insert(key)
        ghostOrder.append(key)
        while ghostOrder.count > max(16, entries.count), let oldest = ghostOrder.popFirst() {
            ghosts.remove(oldest)
        }
    }
}
