import Domain
import Foundation
import NIOCore
import TestKit
import Testing

@testable import VideoStreaming

/// Small ranges of what is not in memory.
struct PartReadTests {
    private static func facts(chunkBytes: Int = 262_144) throws -> ObjectFacts {
        ObjectFacts(
            key: try StorageKey("a.mp4"), version: try GatewayFixture.version("v1"), size: Int64.max - 1,
            contentType: nil, modifiedAt: Date(timeIntervalSince1970: 0), chunkBytes: chunkBytes)
    }

    @Test func thePartHoldsTheRangeAndLittleElse() throws {
        let facts = try Self.facts()
        var random = SeededRandom(seed: 7)
        var found = 0
        for _ in 0..<20_000 {
            let first = Int64.random(in: 0..<(1 << Int64.random(in: 1...40)), using: &random)
            let count = Int64.random(in: 1...131_072, using: &random)
            let range = try #require(ByteRange(first: first, last: first + count - 1))
            guard let part = facts.address(ofPartWith: range) else { continue }
            found += 1
            let size = Int64(part.chunkBytes)
            #expect(part.index * size <= range.first && range.last < (part.index + 1) * size)
            #expect(StorageLimits.chunkBytesRange.contains(part.chunkBytes) && size < facts.chunkBytes)
        }
        #expect(found > 15_000)
        // What a seek in a film of a gigabyte costs.
        let seek = try #require(ByteRange(first: (1 << 30) - 65_536, last: (1 << 30) - 1))
        #expect(try #require(facts.address(ofPartWith: seek)).chunkBytes == 79_109)
    }

    @Test func aLargeRangeAndOneThatAChunkFitsHaveNoPart() throws {
        let facts = try Self.facts()
        let half = try #require(ByteRange(first: 1_000_000, last: 1_000_000 + 131_072))
        #expect(facts.address(ofPartWith: half) == nil)
        let farOut = try #require(ByteRange(first: 1 << 50, last: 1 << 50))
        #expect(facts.address(ofPartWith: farOut) == nil)
        let atTheEnd = try #require(ByteRange(first: .max - 3, last: .max - 2))
        #expect(facts.address(ofPartWith: atTheEnd) == nil)
        let small = try #require(ByteRange(first: 10_000, last: 10_009))
        #expect(try Self.facts(chunkBytes: 4_096).address(ofPartWith: small) == nil)
    }

    @Test func aSeekReadsAPartAndTheNextRangeTheChunk() async throws {
        let fixture = try GatewayFixture()
        let video = fixture.putVideo(bytes: 3_000_000, chunkBytes: 262_144)
        let storage = fixture.storage
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                // The first opens the object. The others lie across the boundary of two chunks, and are asked for twice.
                for first in [0, 2_000_000, 1_048_000, 1_048_100, 1_048_200] {
                    try await connection.request(
                        "GET", GatewayFixture.target, ["Range: bytes=\(first)-\(first + 9_999)"])
                    let response = try await connection.response()
                    #expect(response.status == 206 && response.isComplete)
                    #expect(response["content-range"] == "bytes \(first)-\(first + 9_999)/3000000")
                    #expect(response.body == video.getSlice(at: first, length: 10_000))
                }
            }
        }
        let sizes = storage.counts.chunkSizes
        #expect(sizes.count == 5)
        #expect(sizes.first == 262_144 && sizes.suffix(2) == [262_144, 262_144])
        #expect(sizes.dropFirst().prefix(2).allSatisfy { $0 < 12_000 })
    }

    @Test func whereNoChunkIsKeptEachSmallRangeIsOneSmallRead() async throws {
        var fixture = try GatewayFixture()
        fixture.configuration.cacheBytes = 0
        let video = fixture.putVideo(bytes: 1_000_000, chunkBytes: 262_144)
        let storage = fixture.storage
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request("HEAD", GatewayFixture.target)
                _ = try await connection.response(hasBody: false)
                for first in [262_000, 262_000, 999_999] {
                    try await connection.request("GET", GatewayFixture.target, ["Range: bytes=\(first)-\(first + 999)"])
                    let response = try await connection.response()
                    let count = min(1_000, 1_000_000 - first)
                    #expect(response.body == video.getSlice(at: first, length: count))
                }
            }
        }
        #expect(storage.counts.chunkSizes.allSatisfy { $0 < 8_192 } && storage.counts.reads == 3)
    }

    @Test func aPartThatIsReplacedMeanwhileIsReadAnew() async throws {
        let fixture = try GatewayFixture()
        fixture.putVideo(bytes: 1_000_000, chunkBytes: 262_144)
        let next = GatewayFixture.pattern(900_000)
        let (storage, key) = (fixture.storage, fixture.key)
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request("GET", GatewayFixture.target, ["Range: bytes=0-9"])
                _ = try await connection.response()
                storage.put(key, bytes: next, version: try GatewayFixture.version("v2"), chunkBytes: 262_144)
                try await connection.request("GET", GatewayFixture.target, ["Range: bytes=500000-500099"])
                let response = try await connection.response()
                #expect(response["etag"] == "\"v2\"")
                #expect(response["content-range"] == "bytes 500000-500099/900000")
                #expect(response.body == next.getSlice(at: 500_000, length: 100))
            }
        }
    }
}
