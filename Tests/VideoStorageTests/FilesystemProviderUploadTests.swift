import Domain
import Foundation
import NIOCore
import Testing

@testable import VideoStorage

/// What is particular to uploads into a directory; what holds for every provider is in the conformance suite.
@Suite(.timeLimit(.minutes(1))) struct FilesystemProviderUploadTests {
    private static let block = PartFile.limits.blockBytes

    private func stage(_ fixture: StorageFixture, _ name: String, _ index: Int, _ bytes: [UInt8]) async throws
        -> StagedBlock
    {
        let receipt = try await fixture.provider.stage(
            .none, at: StorageKey(name), index: index, bytes: ByteBuffer(bytes: bytes), deadline: .soon)
        return StagedBlock(index: index, size: bytes.count, receipt: receipt)
    }

    private func begin(_ fixture: StorageFixture, _ name: String) async throws {
        _ = try await fixture.provider.begin(StorageKey(name), contentType: nil, deadline: .soon)
    }

    @discardableResult
    private func commit(_ fixture: StorageFixture, _ name: String, _ blocks: [StagedBlock]) async throws -> BlobFacts {
        try await fixture.provider.commit(
            .none, at: StorageKey(name), blocks: blocks, contentType: nil, deadline: .soon)
    }

    private func files(_ fixture: StorageFixture) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: fixture.directory.path).sorted()
    }

    @Test func nothingButTheBlobIsLeftAfterACommit() async throws {
        let fixture = try StorageFixture()
        try await begin(fixture, "uploads/film")
        let bytes = pattern(5_000)
        let facts = try await commit(fixture, "uploads/film", [try await stage(fixture, "uploads/film", 0, bytes)])
        #expect(facts.size == 5_000)
        #expect(
            try files(fixture) == [".millrace-uploads", ".millrace-uploads/uploads", "uploads", "uploads/film"])
        #expect(try await fixture.read("uploads/film", 0, 4_999) == bytes)
        #expect(try await fixture.stat("uploads/film") == facts)
    }

    @Test func anUploadTakesNoMoreRoomThanItsBlocks() async throws {
        let fixture = try StorageFixture()
        try await begin(fixture, "film")
        _ = try await stage(fixture, "film", 900, pattern(4_096))
        var status = Glibc.stat()
        #expect(lstat("\(fixture.directory.path)/.millrace-uploads/film", &status) == 0)
        #expect(status.st_blocks * 512 < 100_000)
    }

    /// A worker that was killed after it had sealed the file and before it gave it its name.
    @Test func commitGoesOnWhereAnotherWasKilled() async throws {
        let fixture = try StorageFixture()
        let bytes = pattern(5_000)
        try await begin(fixture, "film")
        let block = try await stage(fixture, "film", 0, bytes)
        do {
            let folder = try Folder(path: "\(fixture.directory.path)/.millrace-uploads")
            let part = try PartFile("film", in: folder)
            try part.seal([block], totalBytes: 5_000, mark: CancellationMark(deadline: .soon))
        }
        #expect(await code { _ = try await stage(fixture, "film", 0, bytes) } == .notFound)
        let other = StagedBlock(index: 0, size: 4_999, receipt: block.receipt)
        #expect(await code { _ = try await commit(fixture, "film", [other]) } == .invalidArgument)
        try await commit(fixture, "film", [block])
        #expect(try await fixture.read("film", 0, 4_999) == bytes)
    }

    /// A worker that was killed after it had given the file its name and before it took the old one away.
    @Test func fileThatHasBothNamesIsABlobAndTakesNoBlocks() async throws {
        let fixture = try StorageFixture()
        let bytes = pattern(5_000)
        try await begin(fixture, "film")
        let block = try await stage(fixture, "film", 0, bytes)
        try await commit(fixture, "film", [block])
        #expect(link("\(fixture.directory.path)/film", "\(fixture.directory.path)/.millrace-uploads/film") == 0)
        #expect(await code { _ = try await stage(fixture, "film", 0, pattern(5_000, seed: 9)) } == .notFound)
        try await begin(fixture, "other")
        try await commit(fixture, "film", [block])
        #expect(try await fixture.read("film", 0, 4_999) == bytes)
        #expect(try !files(fixture).contains(".millrace-uploads/film"))
    }

    @Test func blockThatWasNotWrittenWhollyCountsAsNotStaged() async throws {
        let fixture = try StorageFixture()
        try await begin(fixture, "film")
        let block = try await stage(fixture, "film", 0, pattern(5_000))
        // Bytes without a record: the process was killed between the two.
        let file = try FileHandle(
            forWritingTo: URL(fileURLWithPath: "\(fixture.directory.path)/.millrace-uploads/film"))
        try file.seek(toOffset: (1 << 40) + 1)
        try file.write(contentsOf: [UInt8](repeating: 0, count: 16))
        try file.close()
        #expect(await code { _ = try await commit(fixture, "film", [block]) } == .invalidArgument)
        #expect(await code { _ = try await fixture.stat("film") } == .notFound)
    }

    @Test func blockThatWasStagedAgainWithOtherBytesIsNotTakenForTheFirst() async throws {
        let fixture = try StorageFixture()
        try await begin(fixture, "film")
        let first = try await stage(fixture, "film", 0, pattern(5_000))
        let second = try await stage(fixture, "film", 0, pattern(5_000, seed: 2))
        #expect(await code { _ = try await commit(fixture, "film", [first]) } == .invalidArgument)
        try await commit(fixture, "film", [second])
        #expect(try await fixture.read("film", 0, 4_999) == pattern(5_000, seed: 2))
    }

    /// A stage that stalls while another worker commits must not write into the blob: it waits for the lock or is refused.
    @Test func stagesThatRaceWithTheCommitChangeNothing() async throws {
        let fixture = try StorageFixture(threads: 8)
        for round in 0..<20 {
            let name = "film-\(round)"
            let bytes = pattern(Self.block, seed: UInt8(round))
            try await begin(fixture, name)
            let block = try await stage(fixture, name, 0, bytes)
            let stages = Task {
                for _ in 0..<10 { _ = try? await stage(fixture, name, 0, bytes) }
            }
            let facts = try await commit(fixture, name, [block])
            await stages.value
            #expect(try await fixture.stat(name) == facts)
            #expect(try await fixture.read(name, 0, Int64(Self.block) - 1) == bytes)
        }
    }

    @Test(arguments: [".millrace-uploads", ".millrace-uploads/film", ".millrace-x.part", "a/.millrace-x.part"])
    func namesOfTheProvidersOwnAreRefused(name: String) async throws {
        let fixture = try StorageFixture()
        try await begin(fixture, "film")
        try fixture.directory.write(pattern(10), to: "a/.millrace-x.part")
        let key = try StorageKey(name)
        let provider = fixture.provider
        #expect(await code { _ = try await fixture.stat(name) } == .invalidArgument)
        #expect(await code { _ = try await provider.begin(key, contentType: nil, deadline: .soon) } == .invalidArgument)
        #expect(await code { _ = try await stage(fixture, name, 0, [1]) } == .invalidArgument)
        #expect(await code { _ = try await commit(fixture, name, []) } == .invalidArgument)
        #expect(await code { try await provider.abort(.none, at: key, deadline: .soon) } == .invalidArgument)
        #expect(await code { try await provider.delete(key, deadline: .soon) } == .invalidArgument)
        #expect(try await provider.list(after: nil, limit: 10, deadline: .soon).entries.isEmpty)
    }

    @Test func uploadsCannotBeReadThroughALink() async throws {
        let fixture = try StorageFixture()
        try await begin(fixture, "film")
        _ = try await stage(fixture, "film", 0, pattern(10))
        try fixture.directory.link("link", to: ".millrace-uploads/film")
        try fixture.directory.link("folder", to: ".millrace-uploads")
        for name in ["link", "folder/film"] {
            #expect(await code { _ = try await fixture.stat(name) } == .invalidArgument)
        }
        #expect(try await fixture.provider.list(after: nil, limit: 10, deadline: .soon).entries.isEmpty)
    }

    @Test func linkOutOfTheDirectoryIsNotWrittenThrough() async throws {
        let fixture = try StorageFixture()
        let outside = try TemporaryDirectory()
        try outside.write(pattern(10), to: "victim")
        try fixture.directory.link("out", to: outside.path)
        let provider = fixture.provider
        let victim = try StorageKey("out/victim")
        #expect(
            await code { _ = try await provider.begin(StorageKey("out/new"), contentType: nil, deadline: .soon) }
                == .invalidArgument)
        #expect(
            await code { _ = try await provider.begin(StorageKey("out/deep/new"), contentType: nil, deadline: .soon) }
                == .invalidArgument)
        #expect(await code { try await provider.delete(victim, deadline: .soon) } == .invalidArgument)
        #expect(try FileManager.default.subpathsOfDirectory(atPath: outside.path) == ["victim"])
        #expect(fixture.counters["millrace_storage_refusals_total"] == 3)
    }

    @Test func locationsThatAFileSystemCannotHaveAreExplained() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(1), to: "film")
        for name in ["film/below", String(repeating: "n", count: 300)] {
            #expect(await code { try await begin(fixture, name) } == .invalidArgument)
        }
        #expect(await code { try await begin(fixture, "film") } == .conflict)
        try fixture.directory.makeDirectory("folder")
        #expect(await code { try await begin(fixture, "folder") } == .conflict)
    }

    @Test func somethingThatWasPutThereMeanwhileIsNotReplaced() async throws {
        let fixture = try StorageFixture()
        try await begin(fixture, "film")
        let block = try await stage(fixture, "film", 0, pattern(10))
        try fixture.directory.write(pattern(7, seed: 3), to: "film")
        #expect(await code { _ = try await commit(fixture, "film", [block]) } == .conflict)
        #expect(try await fixture.read("film", 0, 6) == pattern(7, seed: 3))
    }

    @Test func filesThatWereThereBeforeAreListed() async throws {
        let fixture = try StorageFixture()
        for name in ["b/2", "a", "b-1", "b/1"] { try fixture.directory.write(pattern(3), to: name) }
        try fixture.directory.link("link", to: "a")
        try fixture.directory.makeDirectory("empty/deep")
        let page = try await fixture.provider.list(after: nil, limit: 10, deadline: .soon)
        #expect(page.entries.map(\.location.description) == ["a", "b-1", "b/1", "b/2"])
        #expect(try await page.entries.first?.facts == fixture.stat("a"))
        #expect(page.next == nil)
    }
}
