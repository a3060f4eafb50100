import Domain
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// Where everything that is delivered comes from: records, facts and chunks, from memory or from the services.
///
/// Guaranteed: what ARCHITECTURE.md says of the delivery engine. Each thing is fetched once for all who wait for it; a record
/// and an object's facts are at most a second old, counted from when they were asked for, and are dropped at once by
/// ``recordChanged(_:)`` and ``objectChanged(_:)``; a chunk is exactly what its address names.
///
/// It is a service: what is on its way when a shutdown begins is ended by ``run()``.
final class ContentSource: Service {
    /// What `storage.open.v1` is shared by.
    struct Opening: Sendable, Hashable {
        /// The object.
        var key: StorageKey
        /// Where to begin.
        var start: ReadStart
    }

    /// What has come of an opening.
    private struct Opened: Sendable {
        var object: OpenedObject
        /// Whether it was in memory by then.
        var wasRemembered = false
    }

    /// How old a record and an object's facts may be.
    static let freshness = Duration.seconds(1)
    /// How many of each are remembered; each is some hundred bytes.
    static let maxRemembered = 10_000

    /// When parts are read together: a message of the broker costs the same, whatever its size, and more than a small read itself.
    static let partsTogether = FetchLimits(
        callsBeforeWaiting: 2, maxCount: StorageLimits.maxChunksTogether, maxBytes: StorageLimits.maxBytesTogether)
    /// How long a part may wait for others: little to a viewer, also where each read takes long.
    static let partPatience = Duration.milliseconds(5)

    /// How exactly deadlines of chunks are kept.
    private static let tick = Duration.milliseconds(25)

    private let records: SharedFetches<RecentAnswers<VideoID, PlayableVideo>>
    private let facts: SharedFetches<RecentAnswers<StorageKey, ObjectFacts>>
    private let openings: SharedFetches<NoMemory<Opening, Opened>>
    private let chunks: SharedFetches<ChunkCache>
    private let parts: SharedFetches<NoMemory<ChunkAddress, Chunk>>
    /// Chunks of which only a part was read.
    private let begunChunks = Mutex(RecentAnswers<ChunkAddress, Bool>(lifetime: .seconds(60), maxCount: maxRemembered))
    private let lastFacts: LastFacts
    private let cacheBytes: Int
    /// Where the chunks are that are kept; `nil` where none is, and where the system has no such memory.
    let memory: ChunkMemory?
    /// Counts what came from where.
    let metrics: DeliveryMetrics
    private let logger: Logger

    /// Makes a source.
    ///
    /// - Parameters:
    ///   - metadata: Knows the records.
    ///   - storage: Has the bytes.
    ///   - cacheBytes: How many bytes of chunks to keep.
    ///   - executor: Where calls of the services are best made; `nil` for Swift's own pool.
    ///   - metrics: Where it is counted what came from where.
    ///   - logger: Where records are told of that cannot be right, and at the end how many chunks came from where.
    init(
        metadata: any MetadataService, storage: any StorageService, cacheBytes: Int,
        executor: (any TaskExecutor)? = nil, metrics: DeliveryMetrics = DeliveryMetrics(), logger: Logger
    ) {
        self.cacheBytes = cacheBytes
        self.metrics = metrics
        self.logger = logger
        let recent = RecentAnswers<VideoID, PlayableVideo>(lifetime: Self.freshness, maxCount: Self.maxRemembered)
        records = SharedFetches(recent, executor: executor) { (id, deadline) throws(ServiceError) in
            let video = try await metadata.find(id, deadline: deadline)
            return try PlayableVideo(video, logger: logger)
        }
        let lastFacts = LastFacts()
        self.lastFacts = lastFacts
        let known = RecentAnswers<StorageKey, ObjectFacts>(lifetime: Self.freshness, maxCount: Self.maxRemembered)
        let facts = SharedFetches(known, executor: executor) { (key, deadline) throws(ServiceError) in
            let facts = try await storage.stat(key, deadline: deadline).checked()
            lastFacts.note(facts)
            return facts
        }
        let cache = ChunkCache(capacityBytes: cacheBytes)
        let memory = ChunkMemory(capacityBytes: cacheBytes)
        self.memory = memory
        if memory == nil, cacheBytes > 0 {
            logger.notice("chunks are copied when they are sent, since the system has no memory to send them from")
        }
        let chunks = SharedFetches(
            cache, executor: executor, together: .alone, byteCount: { _ in 0 }, tick: Self.tick,
            fetch: { addresses, deadline in
                let results = await storage.checkedChunks(addresses, deadline: deadline)
                return results.map { result in
                    result.map { $0.kept(in: memory, apart: cacheBytes > 0 && addresses.count > 1) }
                }
            })
        parts = SharedFetches(
            NoMemory(), executor: executor, together: Self.partsTogether, byteCount: \.chunkBytes,
            tick: Self.partPatience
        ) { await storage.checkedParts($0, deadline: $1) }
        openings = SharedFetches(NoMemory(), executor: executor) { (opening, deadline) throws(ServiceError) in
            // Who found no facts just before another's opening ended comes here just after it: what it would ask for is there.
            if let facts = facts.remembered(opening.key),
                let index = opening.start.chunkIndex(size: facts.size, chunkBytes: facts.chunkBytes),
                let chunk = chunks.remembered(facts.address(ofChunk: index))
            {
                return Opened(object: OpenedObject(facts: facts, first: chunk), wasRemembered: true)
            }
            let asked = ContinuousClock.now
            var opened = try await storage.opened(opening, deadline: deadline)
            opened.first = opened.first?.kept(in: memory)
            // Before the fetch has ended: else whoever came right after it would find nothing, and ask again. The facts come last:
            // who finds them looks for the chunk.
            if let chunk = opened.first {
                let index = chunk.offset / Int64(opened.facts.chunkBytes)
                chunks.keep(chunk, to: opened.facts.address(ofChunk: index), asked: asked)
            }
            lastFacts.note(opened.facts)
            facts.keep(opened.facts, to: opening.key, asked: asked)
            return Opened(object: opened)
        }
        self.facts = facts
        self.chunks = chunks
    }

    /// Keeps deadlines until the task is cancelled or a graceful shutdown begins.
    func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask { [records] in try? await records.run() }
            group.addTask { [facts] in try? await facts.run() }
            group.addTask { [openings] in try? await openings.run() }
            group.addTask { [chunks] in try? await chunks.run() }
            group.addTask { [parts] in try? await parts.run() }
            group.addTask { await self.report() }
            try? await gracefulShutdown()
            group.cancelAll()
        }
        let totals = metrics.totals
        logger.notice(
            "chunks delivered, by where they came from",
            metadata: [
                "cache": "\(totals.cache)", "shared": "\(totals.shared)", "storage": "\(totals.storage)",
            ])
    }

    // MARK: - Asking

    /// What is needed of a record to play it, if it is remembered.
    func rememberedVideo(_ id: VideoID) -> PlayableVideo? {
        records.remembered(id)
    }

    /// What is needed of a record to play it.
    ///
    /// - Throws: What ``Domain/MetadataService/find(_:deadline:)`` does; `notFound` and `internal` as ``PlayableVideo`` says.
    func video(_ id: VideoID, deadline: Deadline) async throws(ServiceError) -> PlayableVideo {
        if let video = records.remembered(id) { return video }
        return try await records.answer(to: id, deadline: deadline).answer
    }

    /// An object's facts, if they are remembered.
    func rememberedFacts(_ key: StorageKey) -> ObjectFacts? {
        facts.remembered(key)
    }

    /// An object's facts.
    func facts(_ key: StorageKey, deadline: Deadline) async throws(ServiceError) -> ObjectFacts {
        try await facts.answer(to: key, deadline: deadline).answer
    }

    /// Whether the cache has the chunk in which a reader would begin, as far as can be told without asking: then the facts
    /// alone are worth asking for.
    func likelyHolds(_ key: StorageKey, at start: ReadStart) -> Bool {
        lastFacts.address(key, at: start).map(holds) ?? false
    }

    /// An object's facts and the chunk at a place, by one call. Both are remembered.
    func open(
        _ key: StorageKey, at start: ReadStart, deadline: Deadline
    ) async throws(ServiceError) -> OpenedObject {
        let opening = Opening(key: key, start: start.rounded(toChunksOf: lastFacts.chunkBytes))
        let sourced = try await openings.answer(to: opening, deadline: deadline)
        let opened = sourced.answer
        if let chunk = opened.object.first {
            metrics.count(chunk, from: opened.wasRemembered ? .cache : sourced.source.chunkSource)
        }
        return opened.object
    }

    /// A chunk, if it is in the cache.
    func rememberedChunk(_ address: ChunkAddress) -> Chunk? {
        guard cacheBytes > 0, let chunk = chunks.remembered(address) else { return nil }
        metrics.count(chunk, from: .cache)
        return chunk
    }

    /// Whether a chunk is in the cache; does not count as a use of it.
    func holds(_ address: ChunkAddress) -> Bool {
        cacheBytes > 0 && chunks.inspect { $0.holds(address) }
    }

    /// A chunk.
    ///
    /// - Throws: What ``Domain/StorageService/read(_:deadline:)`` does; `corrupt` when it is not the chunk that was asked for.
    func chunk(_ address: ChunkAddress, deadline: Deadline) async throws(ServiceError) -> Chunk {
        let sourced = try await chunks.answer(to: address, deadline: deadline)
        metrics.count(sourced.answer, from: sourced.source.chunkSource)
        return sourced.answer
    }

    /// Chunks, those that nobody has asked for yet by one read where they are a ``ChunkRun``.
    ///
    /// - Returns: What came of each, in their order. As long as one of a run is held and none is kept, all of the run is in memory.
    func chunks(_ addresses: [ChunkAddress], deadline: Deadline) async -> [Result<Chunk, ServiceError>] {
        await chunks.answers(to: addresses, deadline: deadline).map { result in
            result.map { sourced in
                metrics.count(sourced.answer, from: sourced.source.chunkSource)
                return sourced.answer
            }
        }
    }

    /// Where a small range is read without the chunks around it: when nothing of them is in memory, and nobody has asked for
    /// a part of them within the last minute. So a seek is answered with little more than the bytes that it wants, and who plays on
    /// from there in small ranges, or others who watch the same place, have the whole chunk from the second time on. Where
    /// no chunk is kept, all small ranges are read so.
    ///
    /// - Returns: The address; `nil` where the chunks are to be read.
    func addressOfPart(with range: ByteRange, _ facts: ObjectFacts) -> ChunkAddress? {
        guard let address = facts.address(ofPartWith: range) else { return nil }
        guard cacheBytes > 0 else { return address }
        let around = range.chunkIndexes(chunkBytes: facts.chunkBytes).map(facts.address(ofChunk:))
        guard !around.contains(where: holds) else { return nil }
        let wereBegun = begunChunks.withLock { begun in
            let now = ContinuousClock.now
            let found = around.contains { begun.answer(to: $0, now: now) != nil }
            for chunk in around { begun.keep(true, to: chunk, asked: now) }
            return found
        }
        return wereBegun ? nil : address
    }

    /// A part of an object, fetched once for all who ask for it at the same time, and not kept.
    ///
    /// - Throws: What ``chunk(_:deadline:)`` does.
    func part(_ address: ChunkAddress, deadline: Deadline) async throws(ServiceError) -> Chunk {
        let sourced = try await parts.answer(to: address, deadline: deadline)
        metrics.count(sourced.answer, from: sourced.source.chunkSource)
        return sourced.answer
    }

    // MARK: - Forgetting

    /// Drops what is remembered of a record.
    func recordChanged(_ id: VideoID) {
        records.forget(id)
    }

    /// Drops the facts that are remembered of an object, and those that are on their way.
    func objectChanged(_ key: StorageKey) {
        facts.forget(key)
        openings.outdate { $0.key == key }
    }

    // MARK: - Figures

    /// Bytes and chunks in the cache.
    var cached: (bytes: Int, chunks: Int) {
        chunks.inspect { ($0.bytes, $0.count) }
    }

    /// How many parts are being read, or wait to be.
    var partsUnderWay: Int { parts.underWay.fetches }

    private func report() async {
        while !Task.isCancelled {
            metrics.record(cached: cached.bytes, chunks: cached.chunks, fetches: chunks.underWay.fetches)
            try? await Task.sleep(for: .seconds(1))
        }
    }
}

extension Chunk {
    /// The same chunk where chunks are kept.
    ///
    /// - Parameters:
    ///   - memory: Where chunks are kept; `nil` where each is kept where it is.
    ///   - apart: Whether it shares its memory with others now, which would be kept as long as it is.
    /// - Returns: The chunk.
    fileprivate func kept(in memory: ChunkMemory?, apart: Bool = false) -> Chunk {
        var kept = self
        if let memory {
            kept.bytes = memory.taking(bytes)
        } else if apart {
            kept.bytes = ByteBufferAllocator().buffer(capacity: bytes.readableBytes)
            kept.bytes.writeImmutableBuffer(bytes)
        }
        return kept
    }
}
