import Domain
import Metrics
import NIOCore
import Synchronization

/// What the delivery engine counts.
final class DeliveryMetrics: Sendable {
    /// Where a chunk came from.
    enum ChunkSource: String, Sendable, CaseIterable {
        /// The cache.
        case cache
        /// A storage worker, asked for this viewer.
        case storage
        /// A storage worker, asked for another viewer at the same time.
        case shared
    }

    /// Chunks since the start, by where they came from.
    struct Totals: Sendable, Equatable {
        var cache = 0
        var storage = 0
        var shared = 0

        /// The share of the chunks for which no worker was asked; 0 as long as there were none.
        var hitRatio: Double {
            let all = cache + storage + shared
            return all == 0 ? 0 : Double(cache + shared) / Double(all)
        }
    }

    private struct Counters: Sendable {
        var chunks: Counter
        var bytes: Counter

        init(_ source: ChunkSource, factory: any MetricsFactory) {
            let dimensions = [("source", source.rawValue)]
            chunks = Counter(label: "millrace_gateway_chunks_total", dimensions: dimensions, factory: factory)
            bytes = Counter(label: "millrace_gateway_chunk_bytes_total", dimensions: dimensions, factory: factory)
        }
    }

    private let counters: [ChunkSource: Counters]
    private let totalCache = Atomic<Int>(0)
    private let totalStorage = Atomic<Int>(0)
    private let totalShared = Atomic<Int>(0)
    private let totalFromMemory = Atomic<Int>(0)
    private let totalRepeated = Atomic<Int>(0)
    private let streams = Atomic<Int>(0)
    private let readAhead = Atomic<Int>(0)
    private let fromMemory: Counter
    private let repeated: Counter
    private let stall: Metrics.Timer
    private let cacheBytes: Gauge
    private let cacheChunks: Gauge
    private let fetches: Gauge
    private let streamCount: Gauge
    private let readAheadBytes: Gauge
    private let hitRatio: Gauge

    /// Makes the counters, with the process's metrics unless told otherwise.
    init(factory: any MetricsFactory = MetricsSystem.factory) {
        let pairs = ChunkSource.allCases.map { ($0, Counters($0, factory: factory)) }
        counters = Dictionary(uniqueKeysWithValues: pairs)
        fromMemory = Counter(label: "millrace_gateway_answers_from_memory_total", factory: factory)
        repeated = Counter(label: "millrace_gateway_repeated_ranges_total", factory: factory)
        stall = Metrics.Timer(label: "millrace_gateway_stall_seconds", preferredDisplayUnit: .seconds, factory: factory)
        cacheBytes = Gauge(label: "millrace_gateway_cache_bytes", factory: factory)
        cacheChunks = Gauge(label: "millrace_gateway_cache_chunks", factory: factory)
        fetches = Gauge(label: "millrace_gateway_chunk_fetches_in_flight", factory: factory)
        streamCount = Gauge(label: "millrace_gateway_streams", factory: factory)
        readAheadBytes = Gauge(label: "millrace_gateway_read_ahead_bytes", factory: factory)
        hitRatio = Gauge(label: "millrace_gateway_cache_hit_ratio", factory: factory)
    }

    /// Chunks since the start.
    var totals: Totals {
        Totals(
            cache: totalCache.load(ordering: .relaxed), storage: totalStorage.load(ordering: .relaxed),
            shared: totalShared.load(ordering: .relaxed))
    }

    /// Requests that were answered at once, from memory alone, since the start.
    var answersFromMemory: Int { totalFromMemory.load(ordering: .relaxed) }
    /// Those of them that differed from the request before in the numbers of their range alone.
    var repeatedRanges: Int { totalRepeated.load(ordering: .relaxed) }
    /// Streams that are being delivered.
    var streamsInFlight: Int { streams.load(ordering: .relaxed) }
    /// Bytes that are held or waited for ahead of viewers.
    var readAheadInFlight: Int { readAhead.load(ordering: .relaxed) }

    /// Takes account of a chunk.
    func count(_ chunk: Chunk, from source: ChunkSource) {
        switch source {
        case .cache: totalCache.add(1, ordering: .relaxed)
        case .storage: totalStorage.add(1, ordering: .relaxed)
        case .shared: totalShared.add(1, ordering: .relaxed)
        }
        counters[source]?.chunks.increment()
        counters[source]?.bytes.increment(by: chunk.bytes.readableBytes)
    }

    /// Takes account of a request that was answered from memory.
    func answeredFromMemory() {
        totalFromMemory.add(1, ordering: .relaxed)
        fromMemory.increment()
    }

    /// Takes account of such a request that differed from the one before it in the numbers of its range alone.
    func answeredRepeatedRange() {
        answeredFromMemory()
        totalRepeated.add(1, ordering: .relaxed)
        repeated.increment()
    }

    /// Takes account of a stream that begins (1) or ends (-1).
    func streams(_ change: Int) {
        streams.add(change, ordering: .relaxed)
    }

    /// Takes account of bytes that are read ahead, or not held any more.
    func readAhead(_ change: Int) {
        readAhead.add(change, ordering: .relaxed)
    }

    /// Takes account of the time that a stream stood still because its next chunk was not there.
    func stalled(_ duration: Duration) {
        stall.recordNanoseconds(duration.wholeNanoseconds)
    }

    /// Records what is so now.
    func record(cached bytes: Int, chunks: Int, fetches count: Int) {
        cacheBytes.record(bytes)
        cacheChunks.record(chunks)
        fetches.record(count)
        streamCount.record(streamsInFlight)
        readAheadBytes.record(readAheadInFlight)
        hitRatio.record(totals.hitRatio)
    }
}

extension SharedFetches.Source {
    /// As it is counted.
    var chunkSource: DeliveryMetrics.ChunkSource {
        switch self {
        case .memory: .cache
        case .fetched: .storage
        case .shared: .shared
        }
    }
}

extension Duration {
    /// Whole nanoseconds; at most `Int64.max`.
    var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : product.addingReportingOverflow(attoseconds / 1_000_000_000).partialValue
    }
}
