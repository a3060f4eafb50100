import Contracts
import NIOCore
import Testing

@testable import VideoStorage

@Suite struct PieceSumsTests {
    private static let piece = ChecksumTable.pieceBytes

    /// By the definition: each piece by itself.
    private static func expected(_ bytes: [UInt8]) -> [UInt32] {
        stride(from: 0, to: bytes.count, by: piece).map {
            CRC32C.checksum(of: ByteBuffer(bytes: bytes[$0..<min($0 + piece, bytes.count)]))
        }
    }

    @Test(arguments: [1_000, 65_536, 99_991, 262_143, 262_144, 262_145, 600_000, 1_000_000])
    func partsOfAnyLengthGiveTheSumsOfPieces(partBytes: Int) {
        for count in [0, 1, 262_143, 262_144, 262_145, 524_288, 900_000] {
            let bytes = pattern(count)
            var pieces = PieceSums()
            for start in stride(from: 0, to: count, by: partBytes) {
                pieces.add(ByteBuffer(bytes: bytes[start..<min(start + partBytes, count)]))
            }
            #expect(pieces.sums == Self.expected(bytes), "\(count) bytes")
            #expect(ChecksumTable.sums(of: ByteBuffer(bytes: bytes)) == pieces.sums)
        }
    }

    /// What has been read of a buffer, or is behind what was written, does not count.
    @Test func onlyTheReadableBytesCount() throws {
        let whole = ByteBuffer(bytes: pattern(300_000))
        var pieces = PieceSums()
        pieces.add(try #require(whole.getSlice(at: 1_000, length: 270_000)))
        #expect(pieces.sums == Self.expected(Array(pattern(300_000)[1_000..<271_000])))
    }
}
