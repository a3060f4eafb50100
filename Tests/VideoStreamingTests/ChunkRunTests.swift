import Domain
import Logging
import NIOCore
import Synchronization
import TestKit
import Testing

@testable import VideoStreaming

/// Chunks that are read several at once.
struct ChunkRunTests {
    private static let mebibyte = 1 << 20
    /// 22 chunks, of which the last has 17 bytes: runs begin at 0, 4, 8, 12, 16 and 20.
    private static let bytes = PatternBytes(seed: 7, count: Int64(21 * mebibyte + 17)).buffer()
    private let storage = InMemoryStorage()

    private func makeFacts(chunkBytes: Int = mebibyte) throws -> ObjectFacts {
        storage.put(
            try StorageKey("a.mp4"), bytes: Self.bytes, version: try GatewayFixture.version("v1"),
            chunkBytes: chunkBytes)
    }

    private func makeSource(cacheBytes: Int = 0) -> ContentSource {
        ContentSource(
            metadata: InMemoryMetadata(), storage: storage, cacheBytes: cacheBytes, logger: Logger(label: "test"))
    }

    private func makeStream(
        of source: ContentSource, first: Int64 = 0, last: Int64? = nil, window: Int = 8,
        readAheadBytes: Int = 64 << 20
    ) throws -> ChunkStream {
        let facts = try makeFacts()
        let limits = DeliveryLimits(
            readAheadChunks: window, chunkDeadline: .seconds(60), stallBudget: .seconds(60),
            firstRetryPause: .milliseconds(5), maxRetryPause: .milliseconds(20))
        return ChunkStream(
            reader: ChunkReader(source: source, facts: facts, limits: limits),
            range: try #require(ByteRange(first: first, last: last ?? facts.size - 1)), first: nil,
            budget: ReadAheadBudget(maxBytes: readAheadBytes))
    }

    private func expectAll(_ stream: ChunkStream) async throws {
        let received = Mutex(ByteBuffer())
        try await stream.deliver { piece in received.withLock { _ = $0.writeImmutableBuffer(piece) } }
        let wanted = Self.bytes.getSlice(at: Int(stream.range.first), length: Int(stream.range.count))
        #expect(received.withLock { $0 } == wanted)
        #expect(stream.budget.held == 0)
    }

    /// The reads that were made, by the size of the chunk that was asked for.
    private func indexes(ofChunks mebibytes: Int) -> [Int64] {
        zip(storage.counts.indexes, storage.counts.chunkSizes)
            .filter { $0.1 == mebibytes * Self.mebibyte }.map(\.0).sorted()
    }

    // MARK: - What a run is

    @Test func aRunIsOneLargerChunk() throws {
        let facts = try makeFacts()
        let run = try #require(ChunkRun(around: [5, 7].map(facts.address(ofChunk:))))
        #expect(run.indexes == 4...7)
        #expect(run.address.index == 1)
        #expect(run.address.chunkBytes == 4 * Self.mebibyte)
        #expect(run.address.key == facts.key && run.address.version == facts.version)
    }

    @Test func whatIsNotInOneRunHasNone() throws {
        let facts = try makeFacts()
        var other = facts.address(ofChunk: 5)
        other.version = try GatewayFixture.version("v2")
        #expect(ChunkRun(around: []) == nil)
        #expect(ChunkRun(around: [facts.address(ofChunk: 4)]) == nil)
        #expect(ChunkRun(around: [3, 4].map(facts.address(ofChunk:))) == nil)
        #expect(ChunkRun(around: [facts.address(ofChunk: 4), other]) == nil)
    }

    @Test(arguments: [
        (4_096, 1), (262_143, 1), (262_144, 4), (1_048_576, 4), (1_400_000, 2), (2_097_152, 2), (2_097_153, 1),
        (4_194_304, 1),
    ])
    func whatARunHasIsOneChunkThatAWorkerReads(chunkBytes: Int, count: Int) throws {
        let facts = try makeFacts(chunkBytes: chunkBytes)
        #expect(ChunkRun.maxCount(ofChunks: chunkBytes) == count)
        #expect(facts.run(beginningAt: 0) == (count == 1 ? nil : 0...Int64(count) - 1))
        let run = ChunkRun(around: [0, 1].map(facts.address(ofChunk:)))
        #expect(run?.address.chunkBytes == (count == 1 ? nil : chunkBytes * count))
    }

    @Test func aRunEndsWithTheObject() throws {
        let facts = try makeFacts()
        #expect(facts.run(beginningAt: 0) == 0...3)
        #expect(facts.run(beginningAt: 1) == nil)
        #expect(facts.run(beginningAt: 20) == 20...21)
        #expect(facts.run(beginningAt: 24) == nil)
        let whole = Chunk(
            version: facts.version, offset: Int64(20 * Self.mebibyte), objectSize: facts.size,
            bytes: try #require(Self.bytes.getSlice(at: 20 * Self.mebibyte, length: Self.mebibyte + 17)))
        let run = try #require(ChunkRun(around: [20, 21, 22].map(facts.address(ofChunk:))))
        for index in 20...21 {
            let part = try #require(run.part(facts.address(ofChunk: Int64(index)), of: whole))
            #expect(part.offset == Int64(index * Self.mebibyte))
            let count = index == 20 ? Self.mebibyte : 17
            #expect(part.bytes == Self.bytes.getSlice(at: index * Self.mebibyte, length: count))
        }
        #expect(run.part(facts.address(ofChunk: 22), of: whole) == nil)
    }

    // MARK: - Streams

    @Test func aStreamThatReadsFarAheadReadsRuns() async throws {
        let stream = try makeStream(of: makeSource())
        try await expectAll(stream)
        // Until the window is as large as it becomes, each alone.
        #expect(indexes(ofChunks: 1) == Array(0...7))
        #expect(indexes(ofChunks: 4) == [2, 3, 4, 5])
    }

    @Test(arguments: [(3, 64 << 20), (8, 1 << 20)])
    func whereARunHasNoRoomEachIsReadAlone(window: Int, readAheadBytes: Int) async throws {
        let stream = try makeStream(of: makeSource(), window: window, readAheadBytes: readAheadBytes)
        try await expectAll(stream)
        #expect(indexes(ofChunks: 1) == Array(0...21))
        #expect(indexes(ofChunks: 4).isEmpty)
    }

    @Test func aRangeThatEndsWithinARunReadsNothingBehindIt() async throws {
        let stream = try makeStream(
            of: makeSource(), first: Int64(Self.mebibyte), last: Int64(14 * Self.mebibyte + 5))
        try await expectAll(stream)
        #expect(indexes(ofChunks: 4) == [2])
        #expect(indexes(ofChunks: 1) == Array(1...7) + Array(12...14))
    }

    @Test func chunksOfARunLeaveTheBudgetWithTheLastOfThem() async throws {
        let stream = try makeStream(of: makeSource())
        let held = Mutex<[Int]>([])
        try await stream.deliver { _ in held.withLock { $0.append(stream.budget.held / Self.mebibyte) } }
        let alone = [0, 1, 4, 5, 8, 7, 6, 5]
        // The last run, of two, has room earlier.
        let runs = [8, 8, 8, 8, 8, 8, 10, 10, 6, 6, 6, 6, 2, 2]
        #expect(held.withLock { $0 } == alone + runs)
    }

    @Test func aRunThatCannotBeTakenIsReadChunkByChunk() async throws {
        storage.alterChunks { chunk in
            var chunk = chunk
            if chunk.bytes.readableBytes > Self.mebibyte { chunk.bytes = ByteBuffer(string: "short") }
            return chunk
        }
        try await expectAll(makeStream(of: makeSource()))
        #expect(indexes(ofChunks: 4) == [2, 3, 4, 5])
        #expect(indexes(ofChunks: 1) == Array(0...21))
    }

    @Test(arguments: [ServiceError.Code.unavailable, .overloaded, .deadlineExceeded])
    func aRunThatFailsForAWhileCostsThatOnly(code: ServiceError.Code) async throws {
        storage.onRead(InMemoryStorage.failure(code) { (9...12).contains($0) })
        try await expectAll(makeStream(of: makeSource()))
    }

    @Test func runsAreKeptAsTheirChunksAndFetchedOnceForAll() async throws {
        let source = makeSource(cacheBytes: 1 << 30)
        storage.onRead(InMemoryStorage.delay(.milliseconds(2)))
        try await withThrowingTaskGroup { group in
            for _ in 0..<5 {
                let stream = try makeStream(of: source)
                group.addTask { try await expectAll(stream) }
            }
            try await group.waitForAll()
        }
        let reads = storage.counts.reads
        let asked = indexes(ofChunks: 1) + indexes(ofChunks: 4).flatMap { Array(4 * $0..<min(22, 4 * $0 + 4)) }
        #expect(asked.sorted() == Array(0...21))
        try await expectAll(makeStream(of: source))
        #expect(storage.counts.reads == reads)
        #expect(source.cached.chunks == 22)
        #expect(source.metrics.totals.storage == 22)
    }
}
