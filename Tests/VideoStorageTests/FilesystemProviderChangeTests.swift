import Domain
import Foundation
import NIOCore
import Synchronization
import Testing

@testable import VideoStorage

@Suite(.timeLimit(.minutes(1))) struct FilesystemProviderChangeTests {
    private func readAll(_ fixture: StorageFixture, after facts: BlobFacts) async -> ServiceError.Code? {
        await code {
            let range = try #require(ByteRange(first: 0, last: max(0, facts.size - 1)))
            _ = try await fixture.provider.read(
                StorageKey("film.mp4"), range: range, validator: facts.validator, deadline: .soon)
        }
    }

    @Test func unchangedFileKeepsItsValidator() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(1_000), to: "film.mp4")
        #expect(try await fixture.stat("film.mp4") == fixture.stat("film.mp4"))
    }

    @Test func replacedFileOfEqualSizeIsAConflict() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(1_000), to: "film.mp4")
        let facts = try await fixture.stat("film.mp4")
        try fixture.directory.write(pattern(1_000, seed: 2), to: "next.mp4")
        #expect(rename("\(fixture.directory.path)/next.mp4", "\(fixture.directory.path)/film.mp4") == 0)
        #expect(await readAll(fixture, after: facts) == .conflict)
    }

    @Test func overwrittenFileIsAConflict() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(1_000), to: "film.mp4")
        let facts = try await fixture.stat("film.mp4")
        try fixture.directory.write(pattern(1_000, seed: 2), to: "film.mp4")
        #expect(await readAll(fixture, after: facts) == .conflict)
    }

    @Test func truncatedFileIsAConflict() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(1_000), to: "film.mp4")
        let facts = try await fixture.stat("film.mp4")
        #expect(truncate("\(fixture.directory.path)/film.mp4", 500) == 0)
        #expect(await readAll(fixture, after: facts) == .conflict)
    }

    /// The state is looked at again after the bytes were read: here the file changes between the first look and them.
    @Test func fileThatChangesAfterTheFirstLookIsAConflict() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(1_000), to: "film.mp4")
        let file = try OpenFile(path: "\(fixture.directory.path)/film.mp4")
        let facts = try #require(try file.facts())
        let writer = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(fixture.directory.path)/film.mp4"))
        try writer.write(contentsOf: Data(pattern(500, seed: 2)))
        try writer.close()
        let range = try #require(ByteRange(first: 0, last: 999))
        var result: ServiceError.Code?
        do {
            _ = try FilesystemProvider.read(
                range, of: file, facts: facts, location: StorageKey("film.mp4"), validator: facts.validator,
                mark: CancellationMark(deadline: .soon))
        } catch {
            result = (error as? ServiceError)?.code
        }
        #expect(result == .conflict)
    }

    @Test func fileThatHoldsFewerBytesThanItSaysIsCorrupt() async throws {
        // The kernel gives the files of sysfs a size of one page, whatever they hold.
        let fixture = try StorageFixture(root: "/sys/devices/system/cpu")
        #expect(await code { _ = try await fixture.read("online", 0, 4_095) } == .corrupt)
    }

    /// Two files of equal size and different bytes take turns under one name while eight readers read it: each answer
    /// holds the bytes of the one file that its validator names.
    @Test func bytesOfTwoFilesAreNeverMixed() async throws {
        let fixture = try StorageFixture(threads: 8)
        let size = 200_000
        var expected: [BlobValidator: UInt8] = [:]
        for seed: UInt8 in [1, 2] {
            try fixture.directory.write(Array(repeating: seed, count: size), to: "take-\(seed)")
            expected[try await fixture.stat("take-\(seed)").validator] = seed
        }
        try fixture.directory.write([], to: "film.mp4")
        let isDone = Atomic<Bool>(false)
        let path = fixture.directory.path
        let swapping = Thread {
            var turn = 0
            while !isDone.load(ordering: .relaxed) {
                turn += 1
                // Hard links keep both inodes alive, so that neither number is given to another file.
                guard link("\(path)/take-\(1 + turn % 2)", "\(path)/next") == 0 else { break }
                _ = rename("\(path)/next", "\(path)/film.mp4")
                unlink("\(path)/next")
            }
        }
        swapping.start()
        defer { isDone.store(true, ordering: .relaxed) }
        let counts = try await withThrowingTaskGroup(of: (right: Int, conflicts: Int).self) { group in
            for _ in 0..<8 {
                group.addTask { [expected] in try await readWhileSwapping(fixture, size: size, expected: expected) }
            }
            return try await group.reduce((0, 0)) { ($0.0 + $1.right, $0.1 + $1.conflicts) }
        }
        #expect(counts.0 > 0 && counts.1 > 0, "both outcomes occurred: \(counts)")
    }
}

private func readWhileSwapping(
    _ fixture: StorageFixture,
    size: Int,
    expected: [BlobValidator: UInt8]
) async throws -> (right: Int, conflicts: Int) {
    var right = 0
    var conflicts = 0
    let key = try StorageKey("film.mp4")
    let range = try #require(ByteRange(first: 0, last: Int64(size) - 1))
    for _ in 0..<100 {
        let facts = try await fixture.provider.stat(key, deadline: .soon)
        guard let seed = expected[facts.validator] else { continue }
        let bytes: ByteBuffer
        do {
            let read = try await fixture.provider.read(
                key, range: range, validator: facts.validator, deadline: .soon)
            bytes = read.bytes
        } catch {
            #expect(error.code == .conflict)
            conflicts += 1
            continue
        }
        #expect(bytes.readableBytes == size)
        let isPure = bytes.withUnsafeReadableBytes { $0.allSatisfy { $0 == seed } }
        #expect(isPure)
        right += 1
    }
    return (right, conflicts)
}
