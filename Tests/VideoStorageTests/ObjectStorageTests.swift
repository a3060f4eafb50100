import Domain
import FoundationEssentials
import Testing

@testable import VideoStorage

@Suite(.timeLimit(.minutes(1))) struct ObjectStorageTests {
    @Test func unknownObjectIsAdoptedOnce() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(1_000), to: "film.mp4")
        let facts = try await fixture.objectFacts("film.mp4")
        #expect(facts.size == 1_000)
        #expect(facts.chunkBytes == StorageLimits.defaultChunkBytes)
        #expect(facts.contentType == nil)
        #expect(try await fixture.objectFacts("film.mp4") == facts)
        #expect(fixture.catalogue.puts == 1)
        #expect(fixture.counters["millrace_storage_adoptions_total"] == 1)
        let entry = try #require(fixture.catalogue.entries[StorageKey("film.mp4")])
        #expect(entry.provider == .filesystem && entry.location == entry.key && entry.checksum == nil)
    }

    @Test func chunksPutTogetherAreTheObject() async throws {
        let fixture = try StorageFixture()
        let bytes = pattern(10_000)
        try fixture.directory.write(bytes, to: "film.mp4")
        let facts = try await fixture.objectFacts("film.mp4")
        var all: [UInt8] = []
        for index in Int64(0)...2 {
            let chunk = try await fixture.chunk(facts, index, chunkBytes: 4_096)
            #expect(chunk.version == facts.version && chunk.objectSize == 10_000 && chunk.offset == index * 4_096)
            all += chunk.array
        }
        #expect(all == bytes)
        #expect(fixture.counters["millrace_storage_reads_total"] == 3)
        #expect(fixture.counters["millrace_storage_read_bytes_total"] == 10_000)
    }

    @Test func lastChunkOfAnObjectThatFillsItIsWhole() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(8_192), to: "film.mp4")
        let facts = try await fixture.objectFacts("film.mp4")
        #expect(try await fixture.chunk(facts, 1, chunkBytes: 4_096).array.count == 4_096)
        #expect(await code { _ = try await fixture.chunk(facts, 2, chunkBytes: 4_096) } == .invalidArgument)
    }

    @Test(arguments: [3, Int64.max, Int64.max / 4_096, -1, Int64.min])
    func indexOutsideTheObjectIsAnInvalidArgument(index: Int64) async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(10_000), to: "film.mp4")
        let facts = try await fixture.objectFacts("film.mp4")
        #expect(await code { _ = try await fixture.chunk(facts, index, chunkBytes: 4_096) } == .invalidArgument)
    }

    @Test func lastChunkOfTheLargestObjectDoesNotOverflow() throws {
        let version = try #require(ObjectVersion("v"))
        let index = (Int64.max - 1) / 4_096
        let chunk = ChunkAddress(key: try StorageKey("film.mp4"), version: version, index: index, chunkBytes: 4_096)
        #expect(chunk.range(inObjectOf: .max)?.last == Int64.max - 1)
        #expect(chunk.range(inObjectOf: .max)?.count == 4_095)
        #expect(chunk.range(inObjectOf: index * 4_096) == nil)
    }

    @Test(arguments: [0, -1, 4_095, 4_194_305, Int.max, Int.min])
    func chunkSizeOutsideTheLimitsIsAnInvalidArgument(chunkBytes: Int) async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(10_000), to: "film.mp4")
        let facts = try await fixture.objectFacts("film.mp4")
        #expect(await code { _ = try await fixture.chunk(facts, 0, chunkBytes: chunkBytes) } == .invalidArgument)
    }

    @Test func emptyObjectHasFactsAndNoChunks() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write([], to: "empty.mp4")
        let facts = try await fixture.objectFacts("empty.mp4")
        #expect(facts.size == 0)
        #expect(await code { _ = try await fixture.chunk(facts, 0) } == .invalidArgument)
    }

    @Test func changedBlobGetsANewVersionAndTheOldOneIsAConflict() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(1_000), to: "film.mp4")
        let old = try await fixture.objectFacts("film.mp4")
        try fixture.directory.write(pattern(1_000, seed: 2), to: "film.mp4")
        #expect(await code { _ = try await fixture.chunk(old, 0) } == .conflict)
        let new = try await fixture.objectFacts("film.mp4")
        #expect(new.version != old.version)
        #expect(try await fixture.chunk(new, 0).array == pattern(1_000, seed: 2))
        #expect(await code { _ = try await fixture.chunk(old, 0) } == .conflict)
        #expect(fixture.catalogue.entries.count == 1)
    }

    @Test func vanishedBlobIsNotFoundAndItsEntryIsKept() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(1_000), to: "film.mp4")
        let facts = try await fixture.objectFacts("film.mp4")
        try fixture.directory.remove("film.mp4")
        let error = await #expect(throws: ServiceError.self) { _ = try await fixture.objectFacts("film.mp4") }
        #expect(error?.code == .notFound)
        #expect(error?.message.contains("\"film.mp4\"") == true)
        #expect(await code { _ = try await fixture.chunk(facts, 0) } == .notFound)
        #expect(fixture.catalogue.entries.count == 1)
    }

    @Test func chunksOfAKnownVersionNeedNoDatabase() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(10_000), to: "film.mp4")
        let facts = try await fixture.objectFacts("film.mp4")
        let lookups = fixture.catalogue.lookups
        fixture.catalogue.setDown(true)
        for index in Int64(0)...2 { _ = try await fixture.chunk(facts, index, chunkBytes: 4_096) }
        #expect(fixture.catalogue.lookups == lookups)
        #expect(await code { _ = try await fixture.objectFacts("film.mp4") } == .unavailable)
    }

    @Test func unknownVersionIsLookedUpOnce() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(10_000), to: "film.mp4")
        let facts = try await fixture.objectFacts("film.mp4")
        let another = ObjectStorage(
            catalogue: fixture.catalogue, providers: ProviderSet(primary: fixture.provider),
            metrics: StorageMetrics(factory: fixture.counters), logger: fixture.log.logger)
        for index in Int64(0)...2 {
            let address = ChunkAddress(key: facts.key, version: facts.version, index: index, chunkBytes: 4_096)
            _ = try await another.read(address, deadline: .soon)
        }
        #expect(fixture.counters["millrace_storage_catalogue_lookups_total"] == 1)
    }

    @Test func versionThatNeverWasIsAConflictAndKeyThatNeverWasIsNotFound() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(10), to: "film.mp4")
        var facts = try await fixture.objectFacts("film.mp4")
        facts.version = try #require(ObjectVersion("another"))
        #expect(await code { _ = try await fixture.chunk(facts, 0) } == .conflict)
        facts.key = try StorageKey("nothing.mp4")
        #expect(await code { _ = try await fixture.chunk(facts, 0) } == .notFound)
    }

    @Test func versionThatMovedToAnotherPlaceIsFoundThere() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(1_000), to: "film.mp4")
        let facts = try await fixture.objectFacts("film.mp4")
        try fixture.directory.write(pattern(1_000), to: "moved/film.mp4")
        var entry = try #require(fixture.catalogue.entries[facts.key])
        entry.location = try StorageKey("moved/film.mp4")
        entry.validator = try await fixture.stat("moved/film.mp4").validator
        fixture.catalogue.overwrite(entry)
        try fixture.directory.remove("film.mp4")
        #expect(try await fixture.chunk(facts, 0).array == pattern(1_000))
        #expect(try await fixture.objectFacts("film.mp4").version == facts.version)
    }

    @Test func objectOfAProviderThatIsNotConfiguredSaysSo() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(10), to: "film.mp4")
        let facts = try await fixture.objectFacts("film.mp4")
        var entry = try #require(fixture.catalogue.entries[facts.key])
        entry.provider = ProviderName("elsewhere")
        fixture.catalogue.overwrite(entry)
        let error = await #expect(throws: ServiceError.self) { _ = try await fixture.objectFacts("film.mp4") }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("elsewhere") == true)
    }

    @Test func fiftyAdoptersAtOnceEndWithOneEntryAndOneVersion() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(1_000), to: "film.mp4")
        let versions = try await withThrowingTaskGroup(of: ObjectVersion.self) { group in
            for _ in 0..<50 { group.addTask { try await fixture.objectFacts("film.mp4").version } }
            return try await group.reduce(into: Set<ObjectVersion>()) { $0.insert($1) }
        }
        #expect(versions.count == 1)
        #expect(fixture.catalogue.puts == 1)
    }

    @Test func knownVersionsAreBounded() throws {
        let known = KnownVersions(maxEntries: 3)
        for number in 0..<10 {
            let validator = BlobValidator(UInt64(number), 0, 0)
            let blob = BlobFacts(size: 1, validator: validator, modifiedAt: .init(timeIntervalSince1970: 0))
            let key = try StorageKey("film.mp4")
            known.remember(try CatalogueEntry(adopting: blob, at: key, in: .filesystem, key: key))
        }
        #expect(known.count == 3)
    }
}
