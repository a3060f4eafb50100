import Domain
import HTTPTypes
import Logging
import NIOCore
import Synchronization
import TestKit
import Testing

@testable import VideoStreaming

/// What is asked of the services, and how often.
struct ContentSourceTests {
    private let metadata = InMemoryMetadata()
    private let storage = InMemoryStorage()
    private let key: StorageKey
    private let id: VideoID
    private let version: ObjectVersion
    private let bytes = GatewayFixture.pattern(50_000)

    init() throws {
        key = try StorageKey("films/a.mp4")
        id = try GatewayFixture.id(GatewayFixture.idText)
        version = try GatewayFixture.version("v1")
        metadata.put(Video(id: id, videoPath: key.description, title: "A"))
        storage.put(key, bytes: bytes, version: version)
    }

    private func makeSource(cacheBytes: Int = 1 << 20) -> ContentSource {
        ContentSource(
            metadata: metadata, storage: storage, cacheBytes: cacheBytes, logger: Logger(label: "test"))
    }

    private var soon: Deadline { .after(.seconds(30)) }

    private func address(_ index: Int64) -> ChunkAddress {
        ChunkAddress(key: key, version: version, index: index, chunkBytes: 4_096)
    }

    @Test func anOpeningBringsFactsAndChunkAndBothAreRemembered() async throws {
        let source = makeSource()
        let opened = try await source.open(key, at: .offset(9_000), deadline: soon)
        #expect(opened.first?.offset == 8_192)
        #expect(source.rememberedFacts(key) == opened.facts)
        #expect(source.rememberedChunk(address(2)) == opened.first)
        #expect(try await source.facts(key, deadline: soon) == opened.facts)
        #expect(try await source.chunk(address(2), deadline: soon) == opened.first)
        #expect(storage.counts.stats == 1 && storage.counts.reads == 1 && storage.counts.opens == 1)
    }

    @Test func whatTheCacheHasIsNotWorthAnOpening() async throws {
        let source = makeSource()
        #expect(!source.likelyHolds(key, at: .offset(9_000)))
        _ = try await source.open(key, at: .offset(9_000), deadline: soon)
        #expect(source.likelyHolds(key, at: .offset(8_192)))
        #expect(!source.likelyHolds(key, at: .offset(0)))
        #expect(!source.likelyHolds(key, at: .offset(60_000)))
        let without = makeSource(cacheBytes: 0)
        _ = try await without.open(key, at: .offset(9_000), deadline: soon)
        #expect(!without.likelyHolds(key, at: .offset(9_000)))
    }

    @Test func aWorkerThatKnowsNoOpeningIsAskedInTwoCalls() async throws {
        storage.onOpen(InMemoryStorage.failure(.unimplemented))
        let source = makeSource()
        for start in [ReadStart.offset(9_000), .suffix(1), .offset(60_000)] {
            let opened = try await source.open(key, at: start, deadline: soon)
            #expect(opened.facts.version == version)
            #expect((opened.first == nil) == (start == .offset(60_000)))
        }
        #expect(storage.counts.stats == 3 && storage.counts.reads == 2)
    }

    @Test func aRecordIsRememberedUntilAnEventTellsOfAChange() async throws {
        let source = makeSource()
        #expect(try await source.video(id, deadline: soon).key == key)
        let other = try StorageKey("films/b.mp4")
        metadata.put(Video(id: id, videoPath: other.description))
        #expect(try await source.video(id, deadline: soon).key == key)
        source.recordChanged(id)
        #expect(try await source.video(id, deadline: soon).key == other)
    }

    @Test func aRecordIsNoOlderThanASecond() async throws {
        let source = makeSource()
        _ = try await source.video(id, deadline: soon)
        let asked = ContinuousClock.now
        let other = try StorageKey("films/b.mp4")
        metadata.put(Video(id: id, videoPath: other.description))
        while try await source.video(id, deadline: soon).key == key {
            try #require(asked.duration(to: .now) < .milliseconds(1_500))
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    @Test func whatCannotBePlayedIsNotRemembered() async throws {
        let source = makeSource()
        metadata.put(Video(id: id, videoPath: key.description, state: .awaitingUpload))
        await #expect(throws: ServiceError.self) { try await source.video(id, deadline: soon) }
        metadata.put(Video(id: id, videoPath: key.description))
        #expect(try await source.video(id, deadline: soon).key == key)
    }

    /// Who looks for facts just before an opening ends finds none, and opens just after it.
    @Test func anOpeningThatComesRightAfterAnotherAsksForNothing() async throws {
        let source = makeSource()
        let first = try await source.open(key, at: .offset(9_000), deadline: soon)
        #expect(try await source.open(key, at: .offset(9_000), deadline: soon) == first)
        #expect(storage.counts.opens == 1 && storage.counts.reads == 1)
        #expect(source.metrics.totals == DeliveryMetrics.Totals(cache: 1, storage: 1, shared: 0))
        source.objectChanged(key)
        _ = try await source.open(key, at: .offset(9_000), deadline: soon)
        #expect(storage.counts.opens == 2)
    }

    /// Another connection may have learned of it in the meantime.
    @Test func whatWasSaidOfAnObjectBeforeItChangedIsNotSaidOfItsBytes() async throws {
        let source = makeSource()
        let content = ContentHandler(
            source: source, budget: ReadAheadBudget(maxBytes: 1 << 20), configuration: GatewayConfiguration())
        _ = try await source.video(id, deadline: soon)
        _ = try await source.open(key, at: .offset(0), deadline: soon)
        var described: DescribedVideo?
        let fields = HTTPFields([HTTPField(name: .range, value: "bytes=0-9")])
        _ = content.answerFromMemory(to: .get, fields: fields, id: id, described: &described)
        let said = try #require(described)
        let range = try #require(ByteRange(first: 10, last: 29))
        let pieces = content.piecesFromMemory(of: range, id: id, described: said)
        #expect(pieces?.count == 1 && pieces?.first == bytes.getSlice(at: 10, length: 20))
        storage.put(key, bytes: bytes, version: try GatewayFixture.version("v2"))
        source.objectChanged(key)
        #expect(content.piecesFromMemory(of: range, id: id, described: said) == nil)
        _ = try await source.open(key, at: .offset(0), deadline: soon)
        #expect(content.piecesFromMemory(of: range, id: id, described: said) == nil)
    }

    @Test func factsAreRememberedUntilAnEventTellsOfAChange() async throws {
        let source = makeSource()
        _ = try await source.facts(key, deadline: soon)
        let next = try GatewayFixture.version("v2")
        storage.put(key, bytes: bytes, version: next)
        #expect(try await source.facts(key, deadline: soon).version == version)
        source.objectChanged(key)
        #expect(try await source.facts(key, deadline: soon).version == next)
    }

    @Test func factsThatWereOnTheirWayWhenTheObjectChangedAreNotRemembered() async throws {
        let source = makeSource()
        let gate = InMemoryGate()
        storage.onOpen(InMemoryStorage.gate(gate))
        async let opened = source.open(key, at: .offset(0), deadline: soon)
        while storage.counts.opens == 0 { try await Task.sleep(for: .milliseconds(1)) }
        source.objectChanged(key)
        gate.open()
        _ = try await opened
        #expect(source.rememberedFacts(key) == nil)
    }

    @Test func withoutACacheChunksAreStillFetchedTogetherButNotKept() async throws {
        let source = makeSource(cacheBytes: 0)
        let gate = InMemoryGate()
        storage.onRead(InMemoryStorage.gate(gate))
        let (address, deadline) = (address(3), soon)
        let waits = (0..<100).map { _ in Task { try await source.chunk(address, deadline: deadline) } }
        while source.metrics.totals.storage == 0 {
            if storage.counts.reads == 1 { gate.open() }
            try await Task.sleep(for: .milliseconds(1))
        }
        for wait in waits { #expect(try await wait.value.offset == 3 * 4_096) }
        #expect(!source.holds(address))
        _ = try await source.chunk(address, deadline: deadline)
        let totals = source.metrics.totals
        #expect(totals.storage == storage.counts.reads && totals.cache == 0)
        #expect(totals.storage + totals.shared == 101)
    }

    @Test(arguments: ["version", "offset", "short", "long"])
    func aChunkThatIsNotWhatWasAskedForIsNeverKept(lie: String) async throws {
        let source = makeSource()
        let other = try GatewayFixture.version("v2")
        storage.alterChunks { chunk in
            var chunk = chunk
            switch lie {
            case "version": chunk.version = other
            case "offset": chunk.offset += 4_096
            case "short": chunk.bytes.moveWriterIndex(to: 4_095)
            default: chunk.bytes.writeInteger(UInt8(0))
            }
            return chunk
        }
        let error = await #expect(throws: ServiceError.self) {
            try await source.chunk(address(3), deadline: soon)
        }
        #expect(error?.code == (lie == "version" ? .conflict : .corrupt))
        await #expect(throws: ServiceError.self) { try await source.open(key, at: .offset(0), deadline: soon) }
        #expect(source.cached.chunks == 0)
        #expect(source.rememberedFacts(key) == nil)
        storage.alterChunks(nil)
        #expect(try await source.chunk(address(3), deadline: soon).bytes == bytes.getSlice(at: 12_288, length: 4_096))
    }

    @Test func whatIsCountedIsWhatCameFromWhere() async throws {
        let source = makeSource()
        for _ in 0..<3 { _ = try await source.chunk(address(1), deadline: soon) }
        _ = try await source.chunk(address(2), deadline: soon)
        #expect(source.metrics.totals == DeliveryMetrics.Totals(cache: 2, storage: 2, shared: 0))
        #expect(source.metrics.totals.hitRatio == 0.5)
    }
}
