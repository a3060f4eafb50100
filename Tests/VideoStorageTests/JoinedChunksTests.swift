import Contracts
import Mongo
import NIOCore
import Testing

@testable import VideoStorage

/// Three chunks of 4 bytes and one of 2.
@Suite struct JoinedChunksTests {
    private static let film: [UInt8] = Array(1...14)
    private static let shape = KnownFiles.Shape(length: 14, chunkBytes: 4)

    private static func bytes(of index: Int) -> [UInt8] {
        Array(film[(4 * index)..<min(14, 4 * index + 4)])
    }

    /// A document without its bytes, as we write it.
    private static func document(_ index: Int) -> BSONDocument {
        let checksum = CRC32C.checksum(of: ByteBuffer(bytes: bytes(of: index)))
        return [
            "n": .int32(Int32(index)), "size": .int32(Int32(bytes(of: index).count)), "crc32c": .int64(Int64(checksum)),
        ]
    }

    private static func joined(
        _ indexes: ClosedRange<Int>, _ parts: [(document: BSONDocument, bytes: [UInt8]?)]
    ) -> JoinedChunks {
        var joined = JoinedChunks(indexes, shape)
        for part in parts {
            guard let bytes = part.bytes else {
                joined.add(nil, in: part.document)
                continue
            }
            bytes.withUnsafeBytes { joined.add($0, in: part.document) }
        }
        return joined
    }

    private static func whole(_ index: Int) -> (document: BSONDocument, bytes: [UInt8]?) {
        (document(index), bytes(of: index))
    }

    @Test(arguments: [0...0, 0...3, 1...2, 3...3])
    func chunksInOrderAreTheirBytes(indexes: ClosedRange<Int>) {
        let joined = Self.joined(indexes, indexes.map(Self.whole))
        #expect(joined.damaged == nil)
        #expect(joined.whole.map { Array($0.bytes.readableBytesView) } == indexes.flatMap(Self.bytes))
        let checksum = CRC32C.checksum(of: ByteBuffer(bytes: indexes.flatMap(Self.bytes)))
        #expect(joined.whole?.checksum == checksum)
    }

    @Test func oneOfAnotherProgramHasNothingToCompare() {
        let joined = Self.joined(1...2, [1, 2].map { (["n": .int32($0)], Self.bytes(of: Int($0))) })
        #expect(joined.whole.map { Array($0.bytes.readableBytesView) } == Self.bytes(of: 1) + Self.bytes(of: 2))
        #expect(joined.whole?.checksum == nil)
    }

    @Test func oneThatHasNoChecksumLeavesTheWholeWithoutOne() {
        let joined = Self.joined(0...2, [Self.whole(0), (["n": 1], Self.bytes(of: 1)), Self.whole(2)])
        #expect(joined.whole.map { Array($0.bytes.readableBytesView) } == Array(Self.film[..<12]))
        #expect(joined.whole?.checksum == nil)
    }

    /// It may be that they are being removed: that is for the caller to find out.
    @Test(arguments: [[], [0], [1], [1, 2], [0, 2], [2, 0, 1]])
    func whatIsMissingIsNotDamaged(present: [Int]) {
        let joined = Self.joined(0...2, present.map(Self.whole))
        #expect(joined.damaged == nil)
        #expect(joined.whole == nil)
    }

    @Test func whatIsNotWhatWasWrittenIsDamaged() {
        let short: BSONDocument = ["n": 1, "size": 3, "crc32c": Self.document(1)["crc32c"] ?? 0]
        let noSize: BSONDocument = ["n": 1, "crc32c": Self.document(1)["crc32c"] ?? 0]
        let noChecksum: BSONDocument = ["n": 1, "size": 4]
        let cases: [(document: BSONDocument, bytes: [UInt8]?)] = [
            (Self.document(1), [5, 6, 7, 9]), (Self.document(1), [5, 6, 7]), (Self.document(1), []),
            (Self.document(1), nil),
            (short, Self.bytes(of: 1)), (noSize, Self.bytes(of: 1)), (noChecksum, Self.bytes(of: 1)),
            (["n": 1], [5, 6, 7, 8, 9]), (["n": 1], nil),
        ]
        for wrong in cases {
            let joined = Self.joined(0...2, [Self.whole(0), wrong, Self.whole(2)])
            #expect(joined.damaged == 1, "\(wrong)")
            #expect(joined.whole == nil, "\(wrong)")
        }
    }
}
