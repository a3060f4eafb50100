import Domain
import NIOCore
import RPC
import Testing

@testable import VideoStorage

@Suite(.timeLimit(.minutes(1))) struct ObjectUploadsTests {
    private let mebibyte = 1_048_576

    @Test func anUploadBecomesAVersionAndItsEventIsKept() async throws {
        let worker = try WorkerFixture()
        let bytes = pattern(2 * mebibyte + 4_321)
        let facts = try await worker.upload("videos/1", bytes)
        #expect(try await worker.facts("videos/1") == facts)
        #expect(try await worker.bytes(facts) == bytes)
        #expect(facts.contentType == "video/mp4" && facts.size == Int64(bytes.count))
        let entry = try #require(try worker.entry("videos/1"))
        #expect(entry.checksum == sha256(bytes))
        #expect(Upload.isOwn(entry.location))
        #expect(worker.catalogue.events.map(\.name) == ["storage.object.committed"])
        #expect(worker.old.files == ["\(entry.location)"])
    }

    @Test func anEmptyObjectHasNoBlock() async throws {
        let worker = try WorkerFixture()
        let facts = try await worker.upload("videos/1", [])
        #expect(facts.size == 0)
        #expect(try await worker.facts("videos/1") == facts)
    }

    @Test func nothingIsSeenBeforeTheCommit() async throws {
        let worker = try WorkerFixture()
        _ = try await worker.begin("videos/1", pattern(1_000))
        #expect(await code { _ = try await worker.facts("videos/1") } == .notFound)
    }

    @Test func aRepeatedCommitHasTheSameAnswerAlsoWhenTheVersionWasReplaced() async throws {
        let worker = try WorkerFixture()
        let finished = try await worker.begin("videos/1", pattern(1_000))
        let facts = try await worker.uploads.commit(finished, deadline: .soon)
        #expect(try await worker.uploads.commit(finished, deadline: .soon) == facts)
        let newer = try await worker.upload("videos/1", pattern(2_000, seed: 2))
        #expect(try await worker.uploads.commit(finished, deadline: .soon) == facts)
        #expect(try await worker.facts("videos/1") == newer)
        #expect(newer.modifiedAt > facts.modifiedAt)
        #expect(worker.catalogue.events.count == 2)
    }

    @Test func whoReadsAVersionThatIsReplacedReadsItToItsEnd() async throws {
        let worker = try WorkerFixture()
        let old = try await worker.upload("videos/1", pattern(600_000))
        try await worker.upload("videos/1", pattern(700_000, seed: 2))
        // Another worker, which has never seen the old version.
        let another = ObjectStorage(
            catalogue: worker.catalogue, providers: worker.providers,
            metrics: StorageMetrics(factory: worker.counters), logger: worker.log.logger)
        let address = ChunkAddress(key: old.key, version: old.version, index: 1, chunkBytes: old.chunkBytes)
        let chunk = try await another.read(address, deadline: .soon)
        #expect(chunk.array == Array(pattern(600_000)[old.chunkBytes..<2 * old.chunkBytes]))
        try await worker.collect(later: 500)
        #expect(try await worker.bytes(old) == pattern(600_000))
        try await worker.collect(later: 700)
        #expect(await code { _ = try await worker.bytes(old) } == .conflict)
        #expect(worker.old.files.count == 1)
    }

    @Test func ofTwoUploadsToOneObjectTheFirstToCommitWins() async throws {
        let worker = try WorkerFixture()
        let first = try await worker.begin("videos/1", pattern(1_000))
        let second = try await worker.begin("videos/1", pattern(1_000, seed: 2))
        let facts = try await worker.uploads.commit(second, deadline: .soon)
        for _ in 1...2 {
            #expect(await code { _ = try await worker.uploads.commit(first, deadline: .soon) } == .conflict)
        }
        #expect(try await worker.bytes(facts) == pattern(1_000, seed: 2))
        try await worker.collect(later: 700)
        #expect(worker.old.files.count == 1)
        #expect(worker.register.all.map(\.id) == [second.id])
        #expect(try await worker.bytes(worker.facts("videos/1")) == pattern(1_000, seed: 2))
    }

    @Test func ofTwentyUploadsAtOnceOneWins() async throws {
        let worker = try WorkerFixture()
        var uploads: [FinishedUpload] = []
        for seed in 1...20 { uploads.append(try await worker.begin("videos/1", pattern(1_000, seed: UInt8(seed)))) }
        let outcomes = await withTaskGroup(of: ServiceError.Code?.self) { group in
            for upload in uploads {
                // Each by two workers at once, as a hedge does.
                for _ in 1...2 {
                    group.addTask { await code { _ = try await worker.uploads.commit(upload, deadline: .soon) } }
                }
            }
            return await group.reduce(into: [ServiceError.Code?]()) { $0.append($1) }
        }
        #expect(outcomes.count { $0 == nil } == 2 && outcomes.count { $0 == .conflict } == 38)
        #expect(worker.catalogue.puts == 1 && worker.catalogue.events.count == 1)
    }

    @Test func anAbortedUploadLeavesNothing() async throws {
        let worker = try WorkerFixture()
        let finished = try await worker.begin("videos/1", pattern(3 * mebibyte))
        try await worker.uploads.abort(finished.id, deadline: .soon)
        try await worker.uploads.abort(finished.id, deadline: .soon)
        #expect(worker.old.files.isEmpty)
        #expect(await code { _ = try await worker.uploads.commit(finished, deadline: .soon) } == .notFound)
        let block = UploadBlock(upload: finished.id, index: 0, bytes: ByteBuffer(string: "x"))
        #expect(await code { _ = try await worker.uploads.stage(block, deadline: .soon) } == .notFound)
        try await worker.collect(later: 700)
        #expect(worker.register.all.isEmpty)
    }

    @Test func aCommittedUploadIsNotAborted() async throws {
        let worker = try WorkerFixture()
        let finished = try await worker.begin("videos/1", pattern(1_000))
        let facts = try await worker.uploads.commit(finished, deadline: .soon)
        try await worker.uploads.abort(finished.id, deadline: .soon)
        #expect(try await worker.bytes(facts) == pattern(1_000))
        #expect(try await worker.uploads.commit(finished, deadline: .soon) == facts)
    }

    @Test func aRepeatedBeginIsTheSameUploadAndAnotherOneUnderItsIdIsNot() async throws {
        let worker = try WorkerFixture()
        let new = NewUpload(id: .random(), key: try StorageKey("videos/1"), contentType: nil, size: 10)
        let plan = try await worker.uploads.begin(new, deadline: .soon)
        #expect(try await worker.uploads.begin(new, deadline: .soon) == plan)
        var other = new
        other.key = try StorageKey("videos/2")
        let changed = other
        #expect(await code { _ = try await worker.uploads.begin(changed, deadline: .soon) } == .conflict)
        try await worker.uploads.abort(new.id, deadline: .soon)
        #expect(await code { _ = try await worker.uploads.begin(new, deadline: .soon) } == .conflict)
    }

    @Test func whatDoesNotFitThePlanIsRefused() async throws {
        let worker = try WorkerFixture()
        let bytes = pattern(2 * mebibyte)
        let finished = try await worker.begin("videos/1", bytes)
        func refused(_ change: (inout FinishedUpload) -> Void) async -> ServiceError.Code? {
            var wrong = finished
            change(&wrong)
            let sent = wrong
            return await code { _ = try await worker.uploads.commit(sent, deadline: .soon) }
        }
        #expect(await refused { $0.blocks.removeFirst() } == .invalidArgument)
        #expect(await refused { $0.blocks.removeLast() } == .invalidArgument)
        #expect(await refused { $0.blocks.swapAt(0, 1) } == .invalidArgument)
        #expect(await refused { $0.checksum = "sha256:xyz" } == .invalidArgument)
        #expect(await refused { $0.checksum = "md5:00" } == .invalidArgument)
        #expect(try await worker.uploads.commit(finished, deadline: .soon).size == Int64(bytes.count))
        let tooMuch = UploadBlock(upload: UploadID.random(), index: 0, bytes: ByteBuffer(string: "x"))
        #expect(await code { _ = try await worker.uploads.stage(tooMuch, deadline: .soon) } == .notFound)
    }

    @Test func moreBytesThanWereAnnouncedAreRefused() async throws {
        let worker = try WorkerFixture()
        let new = NewUpload(id: .random(), key: try StorageKey("videos/1"), contentType: nil, size: 10)
        _ = try await worker.uploads.begin(new, deadline: .soon)
        let block = UploadBlock(upload: new.id, index: 0, bytes: ByteBuffer(repeating: 1, count: 11))
        #expect(await code { _ = try await worker.uploads.stage(block, deadline: .soon) } == .invalidArgument)
        let far = UploadBlock(upload: new.id, index: 1 << 40, bytes: ByteBuffer(repeating: 1, count: 1))
        #expect(await code { _ = try await worker.uploads.stage(far, deadline: .soon) } == .tooLarge)
    }

    @Test func anUploadReplacesAnAdoptedFileWhichIsThenDeleted() async throws {
        let worker = try WorkerFixture()
        try worker.old.write(pattern(500), to: "film.mp4")
        let adopted = try await worker.facts("film.mp4")
        let facts = try await worker.upload("film.mp4", pattern(600, seed: 2))
        #expect(try await worker.facts("film.mp4") == facts)
        #expect(try await worker.bytes(adopted) == pattern(500))
        try await worker.collect(later: 700)
        #expect(!worker.old.files.contains("film.mp4"))
        #expect(try await worker.bytes(worker.facts("film.mp4")) == pattern(600, seed: 2))
    }

    @Test func bytesThatWereUploadedAndAreFewerNowAreNoNewVersion() async throws {
        let worker = try WorkerFixture()
        try await worker.upload("videos/1", pattern(1_000))
        let entry = try #require(try worker.entry("videos/1"))
        try worker.old.write(pattern(999), to: "\(entry.location)")
        #expect(await code { _ = try await worker.facts("videos/1") } == .corrupt)
        #expect(try worker.entry("videos/1") == entry)
    }

    @Test func bytesThatWereUploadedAndPutBackFromACopyKeepTheirChecksum() async throws {
        let worker = try WorkerFixture()
        let before = try await worker.upload("videos/1", pattern(1_000))
        let entry = try #require(try worker.entry("videos/1"))
        try worker.old.remove("\(entry.location)")
        try worker.old.write(pattern(1_000), to: "\(entry.location)")
        let facts = try await worker.facts("videos/1")
        #expect(facts.version != before.version && facts.contentType == before.contentType)
        #expect(try await worker.bytes(facts) == pattern(1_000))
        #expect(try worker.entry("videos/1")?.checksum == entry.checksum)
        let found = try await worker.administration.verify(facts.key, bytesPerSecond: nil, deadline: .soon)
        #expect(found.condition == .intact)
    }
}
