import Domain
import Foundation
import Mongo
import NIOCore
import Testing

@testable import VideoStorage

/// The storage service with its catalogue on a real server and its blobs in a real directory.
@Suite(.timeLimit(.minutes(1))) struct VideoStorageDatabaseTests {
    /// What a worker is made of, and the means to look behind it.
    private struct Worker {
        let path: String
        let client: MongoClient
        let storage: ObjectStorage
        let objects: MongoCollection<BSONDocument>

        func write(_ bytes: [UInt8], to name: String) throws {
            try Data(bytes).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
        }

        func stat(_ name: String) async throws -> ObjectFacts {
            try await storage.stat(StorageKey(name), deadline: .soon)
        }

        func read(_ facts: ObjectFacts, _ index: Int64) async throws -> [UInt8] {
            let address = ChunkAddress(key: facts.key, version: facts.version, index: index, chunkBytes: 4_096)
            return Array(try await storage.read(address, deadline: .soon).bytes.readableBytesView)
        }

        func entries() async throws -> [BSONDocument] {
            try await objects.find(limit: 1_000, deadline: .soon)
        }
    }

    /// Runs a test with as many workers as it wants on one directory and one database.
    private func withWorkers(_ count: Int = 1, _ body: ([Worker]) async throws -> Void) async throws {
        let path = FileManager.default.temporaryDirectory.path + "/millrace-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let threads = BlockingThreads(count: 4)
        try await MongoFixture.withClient { client in
            let catalogue = MongoCatalogue(client: client)
            try await catalogue.prepare(deadline: .soon)
            let metrics = StorageMetrics()
            let workers = try (0..<count).map { _ in
                let provider = try FilesystemProvider(
                    root: path, threads: threads, metrics: metrics, logger: MongoFixture.logger)
                return Worker(
                    path: path, client: client,
                    storage: ObjectStorage(
                        catalogue: catalogue, providers: ProviderSet(primary: provider), metrics: metrics,
                        logger: MongoFixture.logger),
                    objects: client.collection("objects", of: BSONDocument.self))
            }
            try await body(workers)
        }
        await threads.shutdown()
    }

    private func bytes(_ count: Int, seed: UInt8 = 1) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) &+ seed }
    }

    private func code(_ body: () async throws -> Void) async -> ServiceError.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? ServiceError)?.code
        }
    }

    @Test func blobPutByHandIsAdoptedAndReadByAnyWorker() async throws {
        try await withWorkers(2) { workers in
            try workers[0].write(bytes(10_000), to: "Ünïcödé 100%.mp4")
            let facts = try await workers[0].stat("Ünïcödé 100%.mp4")
            #expect(facts.size == 10_000)
            var all: [UInt8] = []
            for index in Int64(0)...2 { all += try await workers[1].read(facts, index) }
            #expect(all == bytes(10_000))
            let entries = try await workers[0].entries()
            #expect(entries.count == 1)
            #expect(entries[0]["provider"] == "filesystem" && entries[0]["state"] == "committed")
            #expect(entries[0]["schemaVersion"] == 1 && entries[0]["checksum"] == nil)
            #expect(try await workers[1].stat("Ünïcödé 100%.mp4") == facts)
        }
    }

    @Test func fiftyAdoptersInFiveWorkersMakeOneEntryOfOneVersion() async throws {
        try await withWorkers(5) { workers in
            try workers[0].write(bytes(100), to: "film.mp4")
            for seed: UInt8 in 1...3 {
                try workers[0].write(bytes(100 * Int(seed), seed: seed), to: "film.mp4")
                let versions = try await withThrowingTaskGroup(of: ObjectVersion.self) { group in
                    for number in 0..<50 { group.addTask { try await workers[number % 5].stat("film.mp4").version } }
                    return try await group.reduce(into: Set<ObjectVersion>()) { $0.insert($1) }
                }
                #expect(versions.count == 1)
                let entries = try await workers[0].entries()
                #expect(entries.count == 1)
                #expect(entries.first?["version"]?.stringValue == versions.first?.description)
            }
        }
    }

    @Test func changedBlobGetsANewVersionInTheSameEntry() async throws {
        try await withWorkers(2) { workers in
            try workers[0].write(bytes(1_000), to: "film.mp4")
            let old = try await workers[0].stat("film.mp4")
            _ = try await workers[1].read(old, 0)
            try workers[0].write(bytes(1_000, seed: 2), to: "film.mp4")
            #expect(await code { _ = try await workers[1].read(old, 0) } == .conflict)
            let new = try await workers[0].stat("film.mp4")
            #expect(new.version != old.version)
            #expect(try await workers[1].read(new, 0) == bytes(1_000, seed: 2))
            #expect(await code { _ = try await workers[1].read(old, 0) } == .conflict)
            #expect(try await workers[0].entries().count == 1)
        }
    }

    @Test func fieldsThatANewVersionDoesNotHaveAreTakenAway() async throws {
        try await withWorkers { workers in
            try workers[0].write(bytes(1_000), to: "film.mp4")
            _ = try await workers[0].stat("film.mp4")
            try await workers[0].objects.updateOne(
                ["key": "film.mp4"], ["$set": ["checksum": "sha256:00", "contentType": "video/mp4", "foreign": 1]],
                deadline: .soon)
            #expect(try await workers[0].stat("film.mp4").contentType == "video/mp4")
            try workers[0].write(bytes(500), to: "film.mp4")
            #expect(try await workers[0].stat("film.mp4").contentType == nil)
            let entries = try await workers[0].entries()
            #expect(entries.first?["checksum"] == nil && entries.first?["foreign"] == 1)
        }
    }

    @Test func twoSpellingsOfOneNameAreTwoEntries() async throws {
        try await withWorkers { workers in
            try workers[0].write(bytes(3), to: "caf\u{E9}.mp4")
            try workers[0].write(bytes(5), to: "cafe\u{301}.mp4")
            #expect(try await workers[0].stat("caf\u{E9}.mp4").size == 3)
            #expect(try await workers[0].stat("cafe\u{301}.mp4").size == 5)
            #expect(try await workers[0].entries().count == 2)
        }
    }

    @Test func missingObjectIsNotFoundAndNotEntered() async throws {
        try await withWorkers { workers in
            #expect(await code { _ = try await workers[0].stat("nothing.mp4") } == .notFound)
            let entries = try await workers[0].entries()
            #expect(entries.isEmpty)
        }
    }

    @Test func entryOfTheWrongShapeIsInternalAndOthersAreServed() async throws {
        try await withWorkers { workers in
            try workers[0].write(bytes(10), to: "film.mp4")
            try workers[0].write(bytes(10), to: "other.mp4")
            try await workers[0].objects.insert(["key": "film.mp4", "version": 5], deadline: .soon)
            #expect(await code { _ = try await workers[0].stat("film.mp4") } == .internal)
            #expect(try await workers[0].stat("other.mp4").size == 10)
        }
    }

    @Test func chunksOfKnownVersionsAreReadWhileTheDatabaseIsDown() async throws {
        try await withWorkers { workers in
            try workers[0].write(bytes(10_000), to: "film.mp4")
            try workers[0].write(bytes(10_000), to: "other.mp4")
            let facts = try await workers[0].stat("film.mp4")
            let unknown = ObjectFacts(
                key: try StorageKey("other.mp4"), version: facts.version, size: 1, contentType: nil,
                modifiedAt: facts.modifiedAt, chunkBytes: 4_096)
            await workers[0].client.shutdown()
            var all: [UInt8] = []
            for index in Int64(0)...2 { all += try await workers[0].read(facts, index) }
            #expect(all == bytes(10_000))
            #expect(await code { _ = try await workers[0].stat("film.mp4") } == .unavailable)
            #expect(await code { _ = try await workers[0].read(unknown, 0) } == .unavailable)
        }
    }

    @Test func indexMayBeMadeAgainAndForbidsASecondEntry() async throws {
        try await withWorkers { workers in
            try await MongoCatalogue(client: workers[0].client).prepare(deadline: .soon)
            try await workers[0].objects.insert(["key": "film.mp4"], deadline: .soon)
            let error = try await MongoFixture.error {
                try await workers[0].objects.insert(["key": "film.mp4"], deadline: .soon)
            }
            #expect(error?.kind == .duplicateKey)
        }
    }
}

extension Deadline {
    /// Long enough for any test on a busy machine.
    fileprivate static var soon: Deadline { .after(.seconds(30)) }
}
