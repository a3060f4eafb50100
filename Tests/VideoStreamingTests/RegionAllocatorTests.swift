import TestKit
import Testing

@testable import VideoStreaming

/// The allocator of regions as a value: what it hands out never overlaps.
struct RegionAllocatorTests {
    private static let page = RegionAllocator.pageBytes

    private func taken(_ bytes: Int, from allocator: inout RegionAllocator) throws -> Int {
        let start = allocator.take(bytes)
        return try #require(start)
    }

    @Test func regionsThatAreOutHaveNoPageInCommon() throws {
        var random = SeededRandom(seed: 7)
        let space = 64 * Self.page
        var allocator = RegionAllocator(spaceBytes: space)
        var out: [Range<Int>] = []
        var refusals = 0
        for _ in 0..<20_000 {
            if !out.isEmpty, Bool.random(using: &random) {
                allocator.giveBack(out.remove(at: Int.random(in: 0..<out.count, using: &random)).lowerBound)
                continue
            }
            let bytes = Int.random(in: 1...(9 * Self.page), using: &random)
            guard let start = allocator.take(bytes) else {
                refusals += 1
                continue
            }
            let size = try #require(allocator.size(ofRegionAt: start))
            let region = start..<start + size
            #expect(size >= bytes && size.isMultiple(of: Self.page))
            // Else a page of more than one region might be sent for one and written for the other.
            #expect(start.isMultiple(of: size))
            #expect(region.upperBound <= space)
            #expect(!out.contains { $0.overlaps(region) })
            out.append(region)
            #expect(allocator.count == out.count)
        }
        #expect(refusals > 0)
    }

    @Test func aRegionIsUsedAgainForOneOfItsSize() throws {
        var allocator = RegionAllocator(spaceBytes: 8 * Self.page)
        let small = try taken(1, from: &allocator)
        let large = try taken(4 * Self.page, from: &allocator)
        #expect(allocator.take(4 * Self.page) == nil)
        allocator.giveBack(small)
        #expect(allocator.take(4 * Self.page) == nil)
        allocator.giveBack(large)
        #expect(allocator.take(3 * Self.page) == large)
        #expect(allocator.take(Self.page) == small)
    }

    @Test func anAbandonedRegionIsNeverHandedOutAgain() throws {
        var allocator = RegionAllocator(spaceBytes: Self.page)
        let region = try taken(1, from: &allocator)
        allocator.abandon(region)
        allocator.giveBack(region)
        #expect(allocator.count == 0)
        #expect(allocator.take(1) == nil)
    }

    @Test func nothingAndTooMuchHaveNoRegion() {
        var allocator = RegionAllocator(spaceBytes: 3 * Self.page)
        for bytes in [-1, 0, 3 * Self.page, 4 * Self.page, .max] { #expect(allocator.take(bytes) == nil) }
        #expect(allocator.count == 0)
    }
}
