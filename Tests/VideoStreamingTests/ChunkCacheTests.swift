import Domain
import NIOCore
import TestKit
import Testing

@testable import VideoStreaming

/// The cache as a value: how much it holds, and what it keeps.
struct ChunkCacheTests {
    private static let chunkBytes = 64
    private static let costBytes = chunkBytes + ChunkCache.bookkeepingBytes
    private let key: StorageKey
    private let version: ObjectVersion

    init() throws {
        key = try StorageKey("a.mp4")
        version = try GatewayFixture.version("v1")
    }

    private func address(_ index: Int) -> ChunkAddress {
        ChunkAddress(key: key, version: version, index: Int64(index), chunkBytes: Self.chunkBytes)
    }

    private func chunk(_ index: Int, bytes: Int = chunkBytes) -> Chunk {
        Chunk(
            version: version, offset: Int64(index * Self.chunkBytes), objectSize: .max - 1,
            bytes: ByteBuffer(repeating: UInt8(truncatingIfNeeded: index), count: bytes))
    }

    /// Reads through the cache, as a viewer does.
    private func read(_ index: Int, _ cache: inout ChunkCache) -> Bool {
        if let found = cache.answer(to: address(index), now: .now) {
            #expect(found == chunk(index))
            return true
        }
        cache.keep(chunk(index), to: address(index), asked: .now)
        return false
    }

    @Test func whateverHappensItHoldsNoMoreThanItsCapacityAndGivesWhatItWasGiven() {
        var random = SeededRandom(seed: 3)
        let capacity = 20 * Self.costBytes
        var cache = ChunkCache(capacityBytes: capacity)
        var held = 0
        for _ in 0..<50_000 {
            let index = Int.random(in: 0..<60, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                cache.forget(address(index))
                #expect(!cache.holds(address(index)))
            case 1...4:
                cache.keep(chunk(index), to: address(index), asked: .now)
                #expect(cache.holds(address(index)))
            default:
                if let found = cache.answer(to: address(index), now: .now) { #expect(found == chunk(index)) }
            }
            #expect(cache.bytes <= capacity)
            #expect(cache.bytes == cache.count * Self.costBytes)
            held = max(held, cache.count)
        }
        #expect(held == 20)
    }

    @Test func aSliceCountsAsTheMemoryThatItKeepsAlive() throws {
        var cache = ChunkCache(capacityBytes: 1_000_000)
        var slice = chunk(0)
        slice.bytes = try #require(ByteBuffer(repeating: 1, count: 400_000).getSlice(at: 0, length: 64))
        cache.keep(slice, to: address(0), asked: .now)
        #expect(cache.bytes >= 400_000)
    }

    @Test func aCacheWithoutRoomKeepsNothing() {
        for capacity in [-1, 0, Self.costBytes - 1] {
            var cache = ChunkCache(capacityBytes: capacity)
            cache.keep(chunk(1), to: address(1), asked: .now)
            #expect(cache.count == 0)
            #expect(cache.answer(to: address(1), now: .now) == nil)
        }
        var cache = ChunkCache(capacityBytes: Self.costBytes)
        cache.keep(chunk(1), to: address(1), asked: .now)
        cache.keep(chunk(2), to: address(2), asked: .now)
        #expect(cache.count == 1)
        #expect(cache.holds(address(2)))
    }

    @Test func chunksOfOtherVersionsSizesAndObjectsAreOtherChunks() throws {
        var cache = ChunkCache(capacityBytes: 1 << 20)
        cache.keep(chunk(1), to: address(1), asked: .now)
        var others = [address(1), address(1), address(1)]
        others[0].version = try GatewayFixture.version("v2")
        others[1].chunkBytes = 128
        others[2].key = try StorageKey("b.mp4")
        for other in others { #expect(cache.answer(to: other, now: .now) == nil) }
    }

    /// 4 GiB are read once while 64 MiB are read again and again, in a cache of 256 MiB; scaled down to chunks of 64 bytes.
    ///
    /// A player reads each chunk of the scan in several pieces within a moment: that must not make it look hot.
    @Test(arguments: [1, 4])
    func aScanLeavesTheHotSetAlone(piecesOfAChunk: Int) {
        var random = SeededRandom(seed: 11)
        var cache = ChunkCache(capacityBytes: 1_024 * Self.costBytes)
        let hot = 256
        for _ in 0..<4 * hot { _ = read(Int.random(in: 0..<hot, using: &random), &cache) }
        var hits = 0
        var reads = 0
        for number in 0..<16_384 {
            for _ in 0..<piecesOfAChunk { _ = read(1_000_000 + number, &cache) }
            // The scan runs twice as fast as the hot set is read.
            guard number.isMultiple(of: 2) else { continue }
            reads += 1
            if read(Int.random(in: 0..<hot, using: &random), &cache) { hits += 1 }
        }
        let ratio = Double(hits) / Double(reads)
        #expect(ratio >= 0.95, "hit ratio of the hot set: \(ratio)")
    }

    @Test func aNewHotSetReplacesTheOldOne() {
        var random = SeededRandom(seed: 12)
        var cache = ChunkCache(capacityBytes: 1_024 * Self.costBytes)
        for _ in 0..<20_000 { _ = read(Int.random(in: 0..<900, using: &random), &cache) }
        var hits = 0
        for number in 0..<40_000 {
            let isHit = read(10_000 + Int.random(in: 0..<900, using: &random), &cache)
            if number >= 20_000, isHit { hits += 1 }
        }
        #expect(hits > 19_000)
    }

    @Test func whatComesBackSoonAfterItFellOutStays() {
        var cache = ChunkCache(capacityBytes: 100 * Self.costBytes)
        _ = read(0, &cache)
        for number in 1...100 { _ = read(number, &cache) }
        #expect(!cache.holds(address(0)))
        _ = read(0, &cache)
        for number in 101...200 { _ = read(number, &cache) }
        #expect(cache.holds(address(0)))
    }
}
