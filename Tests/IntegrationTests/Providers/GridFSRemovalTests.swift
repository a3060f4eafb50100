import Domain
import FoundationEssentials
import Mongo
import Testing

@testable import VideoStorage

/// The removal of a blob with many chunks, which takes longer than its deadlines.
@Suite(.timeLimit(.minutes(2))) struct GridFSRemovalTests {
    private static let chunkCount = 30_000

    @Test func aRemovalThatIsCutShortIsTakenUpAgainAndLeavesNoChunk() async throws {
        try await MongoFixture.withClient { client in
            let provider = GridFSProvider(client: client)
            try await provider.prepare(deadline: .patient)
            let id = ObjectID()
            for start in stride(from: 0, to: Self.chunkCount, by: 10_000) {
                let documents: [BSONDocument] = (start..<(start + 10_000)).map { number in
                    ["files_id": .objectID(id), "n": .int32(Int32(number)), "size": 1, "crc32c": 0]
                }
                try await provider.chunks.insert(contentsOf: documents, deadline: .now + .seconds(60))
            }
            let file = GridFSFile(
                id: id, length: Int64(Self.chunkCount), chunkSize: 1, uploadDate: Date(), filename: "uploads/a")
            try await provider.files.insert(file, deadline: .now + .seconds(60))
            let location = try StorageKey("uploads/a")
            func isThere() async throws -> Bool {
                do throws(ServiceError) {
                    _ = try await provider.stat(location, deadline: .patient)
                    return true
                } catch {
                    #expect(error.code == .notFound)
                    return false
                }
            }
            // As a collector does: once more for as long as the blob is there.
            while try await isThere() {
                try? await provider.delete(location, deadline: .after(.milliseconds(40)))
            }
            let left = try await provider.chunks.count(["files_id": .objectID(id)], deadline: .now + .seconds(60))
            #expect(left == 0)
        }
    }
}
