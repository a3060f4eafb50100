import Domain
import NIOCore
import RPC
import TestKit
import Testing

@testable import Contracts

/// Client, payloads and router of uploads, without a broker.
struct UploadRoundTripTests {
    private let storage = InMemoryStorage()
    private let service: InMemoryUploads
    private let key: StorageKey
    private let id = UploadID.random()
    private let checksum = "sha256:" + String(repeating: "0a", count: 32)

    init() throws {
        service = InMemoryUploads(storage)
        key = try StorageKey("films/mill race 视频 100%+?.mp4")
    }

    private var client: UploadClient { UploadClient(DirectCalls(router: .uploads(service))) }

    private func begin(type: String? = "video/mp4", size: Int64? = 10_000) async throws(ServiceError) -> UploadPlan {
        try await client.begin(
            NewUpload(id: id, key: key, contentType: type, size: size), deadline: Samples.deadline)
    }

    private func block(_ index: Int, _ count: Int) -> UploadBlock {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: ($0 + index) &* 31 ^ ($0 >> 8)) }
        return UploadBlock(upload: id, index: index, bytes: ByteBuffer(bytes: bytes))
    }

    @Test func anUploadArrivesByteForByte() async throws {
        #expect(try await begin() == UploadPlan(blockBytes: 4_096, maxBlocks: 10_000))
        let blocks = [block(0, 4_096), block(1, 4_096), block(2, 1_808)]
        var staged: [StagedBlock] = []
        for block in blocks.reversed() {
            staged.insert(try await client.stage(block, deadline: Samples.deadline), at: 0)
        }
        #expect(staged[2] == StagedBlock(index: 2, size: 1_808, receipt: "block-2"))
        let facts = try await client.commit(
            FinishedUpload(id: id, blocks: staged, checksum: checksum), deadline: Samples.deadline)
        #expect(facts.key == key && facts.size == 10_000 && facts.contentType == "video/mp4")
        #expect(facts.version.description == id.description)
        #expect(try await storage.stat(key, deadline: Samples.deadline) == facts)
        #expect(service.checksums == [checksum])
        for block in blocks {
            let chunk = try await storage.read(
                ChunkAddress(key: key, version: facts.version, index: Int64(block.index), chunkBytes: 4_096),
                deadline: Samples.deadline)
            #expect(chunk.bytes == block.bytes)
        }
    }

    @Test func anEmptyObjectHasNoBlock() async throws {
        _ = try await begin(type: nil, size: nil)
        let facts = try await client.commit(
            FinishedUpload(id: id, blocks: [], checksum: checksum), deadline: Samples.deadline)
        #expect(facts.size == 0 && facts.contentType == nil)
    }

    @Test func anAbortArrives() async throws {
        _ = try await begin()
        _ = try await client.stage(block(0, 10), deadline: Samples.deadline)
        try await client.abort(id, deadline: Samples.deadline)
        #expect(service.openUploads.count == 0)
        try await client.abort(id, deadline: Samples.deadline)
    }

    @Test func blocksThatAreNotInOrderAreNotSent() async throws {
        _ = try await begin()
        let gap = [
            StagedBlock(index: 0, size: 4_096, receipt: ""), StagedBlock(index: 2, size: 4_096, receipt: ""),
        ]
        for blocks in [gap, gap.reversed()] {
            let error = await failure { () throws(ServiceError) in
                try await client.commit(
                    FinishedUpload(id: id, blocks: blocks, checksum: checksum), deadline: Samples.deadline)
            }
            #expect(error?.code == .invalidArgument)
        }
        #expect(service.counts.commits == 0)
    }

    @Test(arguments: ServiceError.Code.allCases)
    func errorsOfEveryMethodArriveUnchanged(_ code: ServiceError.Code) async throws {
        for call in [InMemoryUploads.Call.begin, .stage, .commit, .abort] {
            service.on(call, InMemoryStorage.failure(code))
        }
        let expected = ServiceError(code, "Call 1 fails as it was told.")
        #expect(await failure { () throws(ServiceError) in try await begin() } == expected)
        #expect(
            await failure { () throws(ServiceError) in
                try await client.stage(block(0, 1), deadline: Samples.deadline)
            } == expected)
        #expect(
            await failure { () throws(ServiceError) in
                try await client.commit(
                    FinishedUpload(id: id, blocks: [], checksum: checksum), deadline: Samples.deadline)
            } == expected)
        #expect(
            await failure { () throws(ServiceError) in try await client.abort(id, deadline: Samples.deadline) }
                == expected)
    }

    @Test func routersAreJoined() {
        var router = RPCRouter.storage(storage)
        router.add(.uploads(service))
        #expect(
            router.methodNames == [
                "storage.abort.v1", "storage.begin.v1", "storage.commit.v1", "storage.open.v1",
                "storage.read-together.v1", "storage.read.v1", "storage.stage.v1", "storage.stat.v1",
            ])
    }
}
