import Contracts
import Domain
import Foundation
import NIOCore
import Testing

@testable import VideoStorage

@Suite(.timeLimit(.minutes(1))) struct CheckedProviderTests {
    private let fixture: StorageFixture
    private let provider: CheckedProvider

    init() throws {
        fixture = try StorageFixture()
        provider = CheckedProvider(fixture.provider)
    }

    private func put(_ bytes: [UInt8], at name: String) async throws -> BlobFacts {
        let key = try StorageKey(name)
        let handle = try await provider.begin(key, contentType: nil, deadline: .soon)
        var blocks: [StagedBlock] = []
        for (index, start) in stride(from: 0, to: bytes.count, by: provider.limits.blockBytes).enumerated() {
            let block = ByteBuffer(bytes: bytes[start..<min(start + provider.limits.blockBytes, bytes.count)])
            let receipt = try await provider.stage(handle, at: key, index: index, bytes: block, deadline: .soon)
            #expect(receipt.utf8.count <= 128)
            blocks.append(StagedBlock(index: index, size: block.readableBytes, receipt: receipt))
        }
        return try await provider.commit(handle, at: key, blocks: blocks, contentType: nil, deadline: .soon)
    }

    private func read(_ name: String, _ first: Int64, _ last: Int64, _ facts: BlobFacts) async throws -> [UInt8] {
        let range = try #require(ByteRange(first: first, last: last))
        let read = try await provider.read(
            StorageKey(name), range: range, validator: facts.validator, deadline: .soon)
        if let checksum = read.checksum { #expect(checksum == CRC32C.checksum(of: read.bytes)) }
        return Array(read.bytes.readableBytesView)
    }

    @Test func rangesGetTheirBytesWhateverPiecesTheyTouch() async throws {
        let bytes = pattern(2_500_000)
        let facts = try await put(bytes, at: "film")
        for (first, last) in [(0, 262_143), (1, 1), (262_143, 262_144), (300_000, 2_000_000), (2_400_000, 3_000_000)] {
            let read = try await read("film", Int64(first), Int64(last), facts)
            #expect(read == Array(bytes[first...min(last, bytes.count - 1)]))
        }
        #expect(await code { _ = try await read("film", 2_500_000, 2_500_000, facts) } == .invalidArgument)
    }

    /// Of whole pieces it is known without a look at the bytes, of others it is not.
    @Test(arguments: [
        (0, 262_143, true), (262_144, 1_048_575, true), (2_359_296, 2_499_999, true), (2_359_296, 3_000_000, true),
        (0, 2_499_999, true), (0, 262_142, false), (1, 262_143, false), (262_144, 262_144, false),
        (2_359_297, 2_499_999, false), (0, 2_499_998, false),
    ]) func wholePiecesComeWithTheirChecksum(first: Int64, last: Int64, isKnown: Bool) async throws {
        let bytes = pattern(2_500_000)
        let facts = try await put(bytes, at: "film")
        let range = try #require(ByteRange(first: first, last: last))
        let read = try await provider.read(
            StorageKey("film"), range: range, validator: facts.validator, deadline: .soon)
        #expect(Array(read.bytes.readableBytesView) == Array(bytes[Int(first)...min(Int(last), bytes.count - 1)]))
        #expect(read.checksum == (isKnown ? CRC32C.checksum(of: read.bytes) : nil))
    }

    @Test func theServiceHandsOnWhatWasStored() async throws {
        _ = try await put(pattern(300_000), at: "film")
        let storage = ObjectStorage(
            catalogue: fixture.catalogue, providers: ProviderSet(primary: provider),
            metrics: StorageMetrics(factory: fixture.counters), logger: fixture.log.logger)
        let facts = try await storage.stat(StorageKey("film"), deadline: .soon)
        for (chunkBytes, isKnown) in [(262_144, true), (524_288, true), (4_096, false)] {
            let address = ChunkAddress(key: facts.key, version: facts.version, index: 0, chunkBytes: chunkBytes)
            let chunk = try await storage.read(address, deadline: .soon)
            #expect(chunk.array == Array(pattern(300_000).prefix(chunkBytes)))
            #expect(chunk.checksum == (isKnown ? CRC32C.checksum(of: chunk.bytes) : nil))
        }
    }

    @Test func aBitThatFlippedIsCorruptAndNoAnswer() async throws {
        let bytes = pattern(600_000)
        let path = "\(fixture.directory.path)/film"
        let facts = try await put(bytes, at: "film")
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        try file.seek(toOffset: 300_000)
        try file.write(contentsOf: [bytes[300_000] ^ 1])
        try file.close()
        // As a disk that forgets: the file looks as it did.
        var times = [timespec(), timespec()]
        let modified = facts.modifiedAt.timeIntervalSince1970
        times[1] = timespec(tv_sec: Int(modified), tv_nsec: 0)
        #expect(utimensat(AT_FDCWD, path, times, 0) == 0)
        let now = try await provider.stat(StorageKey("film"), deadline: .soon)
        #expect(await code { _ = try await read("film", 290_000, 310_000, now) } == .corrupt)
        #expect(await code { _ = try await read("film", 262_144, 262_144, now) } == .corrupt)
        #expect(try await read("film", 0, 1_000, now) == Array(bytes[0...1_000]))
    }

    @Test func damagedChecksumsAreCorrupt() async throws {
        let facts = try await put(pattern(100), at: "film")
        let folder = "\(fixture.directory.path)/checksums"
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: folder).first)
        var table = Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")))
        table[13] ^= 1
        try Data(table).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        #expect(await code { _ = try await read("film", 0, 9, facts) } == .corrupt)
    }

    @Test func checksumsAreNoBlobsAndGoWithTheirs() async throws {
        _ = try await put(pattern(100), at: "film")
        let page = try await provider.list(after: nil, limit: 10, deadline: .soon)
        #expect(page.entries.map(\.location.description) == ["film"])
        #expect(
            await code { _ = try await provider.stat(StorageKey("checksums/x"), deadline: .soon) } == .invalidArgument)
        try await provider.delete(StorageKey("film"), deadline: .soon)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(fixture.directory.path)/checksums").isEmpty)
    }

    @Test func checksumsOfACommitThatWasNotCarriedOutAreRemoved() async throws {
        let key = try StorageKey("film")
        let handle = try await provider.begin(key, contentType: nil, deadline: .soon)
        let bytes = ByteBuffer(bytes: pattern(100))
        let receipt = try await provider.stage(handle, at: key, index: 0, bytes: bytes, deadline: .soon)
        // Another one than was staged: the checksums are written, and the commit is refused.
        let other = CheckedReceipt(sums: [1], inner: "00000000").description
        #expect(receipt != other)
        let blocks = [StagedBlock(index: 0, size: 100, receipt: other)]
        let refused = await code {
            _ = try await provider.commit(handle, at: key, blocks: blocks, contentType: nil, deadline: .soon)
        }
        #expect(refused == .invalidArgument)
        let folder = "\(fixture.directory.path)/checksums"
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 1)
        try await provider.abort(handle, at: key, deadline: .soon)
        try await provider.delete(key, deadline: .soon)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
    }

    @Test func blobOfSomebodyElseIsReadAsItIs() async throws {
        try fixture.directory.write(pattern(1_000), to: "film")
        let facts = try await provider.stat(StorageKey("film"), deadline: .soon)
        #expect(try await read("film", 10, 20, facts) == Array(pattern(1_000)[10...20]))
    }

    @Test func blobOfSomebodyElseIsReadInTheWayThatTheProviderHasForThat() async throws {
        try fixture.directory.write(pattern(1_000), to: "other")
        let own = try await put(pattern(1_000), at: "own")
        let other = try await provider.stat(StorageKey("other"), deadline: .soon)
        // Gives ten zeros, whatever it is asked for.
        let reader = CheckedProvider(fixture.provider, readingOthersWith: ScriptedProvider([]))
        let range = try #require(ByteRange(first: 10, last: 20))
        func read(_ name: String, _ facts: BlobFacts) async throws -> [UInt8] {
            let read = try await reader.read(
                StorageKey(name), range: range, validator: facts.validator, deadline: .soon)
            return Array(read.bytes.readableBytesView)
        }
        #expect(try await read("other", other) == [UInt8](repeating: 0, count: 10))
        #expect(try await read("own", own) == Array(pattern(1_000)[10...20]))
    }

    @Test func receiptsComeBack() throws {
        for count in 0...20 {
            let receipt = CheckedReceipt(sums: (0..<count).map { UInt32($0) &* 0x9E37_79B9 }, inner: "a:b=")
            let read = try #require(CheckedReceipt(receipt.description))
            #expect(read.sums == receipt.sums)
            #expect(read.inner == "a:b=")
        }
        for text in ["", "abc", "!!!!:x", "AAA:x"] { #expect(CheckedReceipt(text) == nil) }
    }
}
