import Domain
import Testing

struct ByteRangeTests {
    @Test(
        arguments: [
            (0, 0, 1), (0, 9, 10), (5, 5, 1), (0, Int64.max - 1, Int64.max),
        ] as [(Int64, Int64, Int64)])
    func aRangeCountsBothEnds(first: Int64, last: Int64, count: Int64) throws {
        let range = try #require(ByteRange(first: first, last: last))
        #expect(range.count == count)
        #expect(range.description == "\(first)-\(last)")
    }

    @Test(arguments: [(-1, 0), (1, 0), (0, -1), (0, Int64.max), (Int64.min, Int64.max)] as [(Int64, Int64)])
    func whatIsNoRangeIsRefused(first: Int64, last: Int64) {
        #expect(ByteRange(first: first, last: last) == nil)
    }

    @Test(
        arguments: [
            (0, 0, 0...0), (0, 9, 0...0), (0, 10, 0...1), (9, 10, 0...1), (10, 19, 1...1), (99, 200, 9...20),
        ] as [(Int64, Int64, ClosedRange<Int64>)])
    func chunksOfTenAreFound(first: Int64, last: Int64, indexes: ClosedRange<Int64>) throws {
        #expect(try #require(ByteRange(first: first, last: last)).chunkIndexes(chunkBytes: 10) == indexes)
    }

    @Test func aChunkSizeOfNothingIsTakenAsOne() throws {
        #expect(try #require(ByteRange(first: 3, last: 4)).chunkIndexes(chunkBytes: 0) == 3...4)
    }

    @Test(
        arguments: [
            (10, 10, 0..<10), (0, 10, 5..<10), (20, 10, 0..<5), (30, 10, nil), (0, 5, nil), (7, 1, 0..<1),
            (Int64.max, 1, nil), (-1, 10, nil),
        ] as [(Int64, Int, Range<Int>?)])
    func theSliceOfAChunkIsWhatBothShare(offset: Int64, count: Int, expected: Range<Int>?) throws {
        let range = try #require(ByteRange(first: 5, last: 24))
        #expect(range.slice(ofChunkAt: offset, count: count) == expected)
    }
}
