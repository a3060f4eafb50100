import Domain
import Foundation
import NIOCore
import RPC
import TestKit
import Testing

@testable import Contracts

/// Client, payloads and router of the storage service, without a broker.
struct StorageRoundTripTests {
    private let service = InMemoryStorage()
    private let key: StorageKey
    private let version: ObjectVersion

    init() throws {
        key = try StorageKey("films/mill race 视频 100%+?.mp4")
        version = try Samples.version("v1.A-b_c")
    }

    private var client: StorageClient { StorageClient(DirectCalls(router: .storage(service))) }

    private func address(_ index: Int64) -> ChunkAddress {
        ChunkAddress(key: key, version: version, index: index, chunkBytes: 4_096)
    }

    @Test func factsArriveAsTheyAre() async throws {
        let facts = service.put(
            key, bytes: ByteBuffer(repeating: 7, count: 10_000), version: version, contentType: "video/mp4",
            modifiedAt: Date(timeIntervalSince1970: 1_700_000_000.987))
        #expect(try await client.stat(key, deadline: Samples.deadline) == facts)
    }

    @Test func factsOfAnEmptyObjectWithoutATypeArrive() async throws {
        let facts = service.put(key, bytes: ByteBuffer(), version: version)
        #expect(try await client.stat(key, deadline: Samples.deadline) == facts)
    }

    @Test func everyChunkArrivesByteForByte() async throws {
        let bytes = ByteBuffer(bytes: (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ ($0 >> 8)) })
        service.put(key, bytes: bytes, version: version)
        var collected = ByteBuffer()
        for index in Int64(0)..<3 {
            var chunk = try await client.read(address(index), deadline: Samples.deadline)
            #expect(chunk.offset == index * 4_096)
            #expect(chunk.objectSize == 10_000)
            #expect(chunk.version == version)
            collected.writeBuffer(&chunk.bytes)
        }
        #expect(collected == bytes)
    }

    @Test func aChunkPastTheEndIsForTheServiceToRefuse() async throws {
        service.put(key, bytes: ByteBuffer(repeating: 7, count: 10), version: version)
        let error = await failure { () throws(ServiceError) in
            try await client.read(address(1), deadline: Samples.deadline)
        }
        #expect(error?.code == .invalidArgument)
    }

    @Test func anotherVersionIsAConflict() async throws {
        service.put(key, bytes: ByteBuffer(repeating: 7, count: 10), version: try Samples.version("v2"))
        let error = await failure { () throws(ServiceError) in
            try await client.read(address(0), deadline: Samples.deadline)
        }
        #expect(error?.code == .conflict)
    }

    @Test(arguments: ServiceError.Code.allCases)
    func errorsOfEveryMethodArriveUnchanged(_ code: ServiceError.Code) async {
        service.onStat(InMemoryStorage.failure(code))
        service.onRead(InMemoryStorage.failure(code))
        let expected = ServiceError(code, "Call 1 fails as it was told.")
        let stat = await failure { () throws(ServiceError) in try await client.stat(key, deadline: Samples.deadline) }
        #expect(stat == expected)
        let read = await failure { () throws(ServiceError) in
            try await client.read(address(0), deadline: Samples.deadline)
        }
        #expect(read == expected)
    }

    @Test func anAddressArrivesAsItIs() throws {
        for index in [0, 1, Int64.max] {
            for chunkBytes in [StorageLimits.chunkBytesRange.lowerBound, StorageLimits.chunkBytesRange.upperBound] {
                let address = ChunkAddress(key: key, version: version, index: index, chunkBytes: chunkBytes)
                #expect(try ChunkAddress(address.payload) == address)
            }
        }
    }
}
