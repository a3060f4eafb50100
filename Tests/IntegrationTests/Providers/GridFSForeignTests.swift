import Contracts
import Domain
import FoundationEssentials
import Mongo
import NIOCore
import TestKit
import Testing

@testable import VideoStorage

/// Blobs that were put into the collections by others: by other programs, as the GridFS specification has it, with chunks of their
/// own size and without the checksums of ours; and by an earlier version of this provider, with smaller chunks.
@Suite(.timeLimit(.minutes(1))) struct GridFSForeignTests {
    /// Who has put a blob there.
    enum Writer: CaseIterable {
        case otherProgram, earlierVersion

        var chunkBytes: Int {
            switch self {
            case .otherProgram: 261_120
            case .earlierVersion: 262_144
            }
        }

        func chunk(_ number: Int, of file: ObjectID, _ bytes: ByteBuffer) -> BSONDocument {
            switch self {
            case .otherProgram:
                [
                    "files_id": .objectID(file), "n": .int32(Int32(number)),
                    "data": .binary(BSONBinary(Array(bytes.readableBytesView))),
                ]
            // As it is stored, so that a change of what is written today does not change it.
            case .earlierVersion:
                [
                    "_id": ["files_id": .objectID(file), "n": .int32(Int32(number))],
                    "files_id": .objectID(file), "n": .int32(Int32(number)),
                    "size": .int32(Int32(bytes.readableBytes)), "crc32c": .int64(Int64(CRC32C.checksum(of: bytes))),
                    "data": .binary(BSONBinary(Array(bytes.readableBytesView))),
                ]
            }
        }
    }

    private func put(_ blob: PatternBytes, by writer: Writer, at name: String, _ client: MongoClient) async throws {
        let id = ObjectID()
        let chunks = client.collection("blobs.chunks", of: BSONDocument.self)
        for (number, start) in stride(from: 0, to: Int(blob.count), by: writer.chunkBytes).enumerated() {
            let bytes = blob.buffer(from: Int64(start), count: Int64(writer.chunkBytes))
            try await chunks.insert(writer.chunk(number, of: id, bytes), deadline: .soon)
        }
        try await client.collection("blobs.files", of: BSONDocument.self).insert(
            [
                "_id": .objectID(id), "length": .int64(blob.count), "chunkSize": .int32(Int32(writer.chunkBytes)),
                "uploadDate": .date(Date()), "filename": .string(name),
            ], deadline: .soon)
    }

    @Test(arguments: Writer.allCases) func aBlobOfOthersIsReadByteForByte(_ writer: Writer) async throws {
        try await MongoFixture.withClient { client in
            let provider = GridFSProvider(client: client)
            try await provider.prepare(deadline: .patient)
            let blob = PatternBytes(seed: 7, count: 1_000_001)
            try await put(blob, by: writer, at: "film.mp4", client)
            let location = try StorageKey("film.mp4")
            let facts = try await provider.stat(location, deadline: .patient)
            #expect(facts.size == blob.count)
            for first in [0, 1, 261_119, 261_120, 262_143, 262_144, 500_000, 1_000_000] as [Int64] {
                let range = try #require(ByteRange(first: first, last: first + 262_143))
                let read = try await provider.read(
                    location, range: range, validator: facts.validator, deadline: .patient)
                #expect(read.bytes == blob.buffer(from: first, count: 262_144))
                // Known where the range is one whole chunk of those that have one.
                let isKnown = writer == .earlierVersion && [0, 262_144].contains(first)
                #expect(read.checksum == (isKnown ? CRC32C.checksum(of: read.bytes) : nil))
            }
        }
    }

    @Test(arguments: Writer.allCases) func aBlobOfOthersWithAChunkThatIsTooShortIsCorrupt(_ writer: Writer) async throws
    {
        try await MongoFixture.withClient { client in
            let provider = GridFSProvider(client: client)
            try await provider.prepare(deadline: .patient)
            try await put(PatternBytes(seed: 7, count: 600_000), by: writer, at: "film.mp4", client)
            try await client.collection("blobs.chunks", of: BSONDocument.self).updateOne(
                ["n": 1], ["$set": ["data": .binary(BSONBinary([1, 2, 3]))]], deadline: .soon)
            let result = await failureCode { try await readSecondChunk(by: writer, provider) }
            #expect(result == .corrupt)
        }
    }

    /// The other programs' have no checksum.
    @Test func aBlobOfAnEarlierVersionWithOtherBytesIsCorrupt() async throws {
        try await MongoFixture.withClient { client in
            let provider = GridFSProvider(client: client)
            try await provider.prepare(deadline: .patient)
            let writer = Writer.earlierVersion
            try await put(PatternBytes(seed: 7, count: 600_000), by: writer, at: "film.mp4", client)
            let others = Array(PatternBytes(seed: 8, count: 262_144).buffer(from: 0, count: 262_144).readableBytesView)
            try await client.collection("blobs.chunks", of: BSONDocument.self).updateOne(
                ["n": 1], ["$set": ["data": .binary(BSONBinary(others))]], deadline: .soon)
            let result = await failureCode { try await readSecondChunk(by: writer, provider) }
            #expect(result == .corrupt)
        }
    }

    private func readSecondChunk(by writer: Writer, _ provider: GridFSProvider) async throws {
        let location = try StorageKey("film.mp4")
        let facts = try await provider.stat(location, deadline: .patient)
        let start = Int64(writer.chunkBytes)
        let range = try #require(ByteRange(first: start, last: start + 1))
        _ = try await provider.read(location, range: range, validator: facts.validator, deadline: .patient)
    }
}
