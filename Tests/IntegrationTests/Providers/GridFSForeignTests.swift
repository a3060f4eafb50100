import Domain
import FoundationEssentials
import Mongo
import NIOCore
import TestKit
import Testing

@testable import VideoStorage

/// Blobs that other programs put into the collections, as the GridFS specification has it: with chunks of their own size, and
/// without the checksums of ours.
@Suite(.timeLimit(.minutes(1))) struct GridFSForeignTests {
    private static let chunkBytes = 261_120

    private func put(_ blob: PatternBytes, at name: String, _ client: MongoClient) async throws {
        let id = ObjectID()
        let chunks = client.collection("blobs.chunks", of: BSONDocument.self)
        for (number, start) in stride(from: 0, to: Int(blob.count), by: Self.chunkBytes).enumerated() {
            let count = min(Self.chunkBytes, Int(blob.count) - start)
            let bytes = Array(blob.buffer(from: Int64(start), count: Int64(count)).readableBytesView)
            try await chunks.insert(
                ["files_id": .objectID(id), "n": .int32(Int32(number)), "data": .binary(BSONBinary(bytes))],
                deadline: .soon)
        }
        try await client.collection("blobs.files", of: BSONDocument.self).insert(
            [
                "_id": .objectID(id), "length": .int64(blob.count), "chunkSize": .int32(Int32(Self.chunkBytes)),
                "uploadDate": .date(Date()), "filename": .string(name),
            ], deadline: .soon)
    }

    @Test func aBlobOfAnotherProgramIsReadByteForByte() async throws {
        try await MongoFixture.withClient { client in
            let provider = GridFSProvider(client: client)
            try await provider.prepare(deadline: .patient)
            let blob = PatternBytes(seed: 7, count: 1_000_001)
            try await put(blob, at: "film.mp4", client)
            let location = try StorageKey("film.mp4")
            let facts = try await provider.stat(location, deadline: .patient)
            #expect(facts.size == blob.count)
            for first in [0, 1, 261_119, 261_120, 500_000, 1_000_000] as [Int64] {
                let range = try #require(ByteRange(first: first, last: first + 262_143))
                let bytes = try await provider.read(
                    location, range: range, validator: facts.validator, deadline: .patient)
                #expect(bytes == blob.buffer(from: first, count: 262_144))
            }
        }
    }

    @Test func aBlobOfAnotherProgramWithAChunkThatIsTooShortIsCorrupt() async throws {
        try await MongoFixture.withClient { client in
            let provider = GridFSProvider(client: client)
            try await provider.prepare(deadline: .patient)
            try await put(PatternBytes(seed: 7, count: 600_000), at: "film.mp4", client)
            try await client.collection("blobs.chunks", of: BSONDocument.self).updateOne(
                ["n": 1], ["$set": ["data": .binary(BSONBinary([1, 2, 3]))]], deadline: .soon)
            let location = try StorageKey("film.mp4")
            let facts = try await provider.stat(location, deadline: .patient)
            let range = try #require(ByteRange(first: 261_120, last: 261_121))
            let result = await failureCode {
                _ = try await provider.read(location, range: range, validator: facts.validator, deadline: .patient)
            }
            #expect(result == .corrupt)
        }
    }
}
