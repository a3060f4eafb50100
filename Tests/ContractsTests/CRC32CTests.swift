import Contracts
import NIOCore
import Testing

struct CRC32CTests {
    /// The known answers of RFC 3720 appendix B.4, and the check value of the catalogue of CRCs.
    private static let knownAnswers: [([UInt8], UInt32)] = [
        (Array(repeating: 0x00, count: 32), 0x8A91_36AA),
        (Array(repeating: 0xFF, count: 32), 0x62A8_AB43),
        (Array(0..<32), 0x46DD_794E),
        (Array((0..<32).reversed()), 0x113F_DB5C),
        (Array("123456789".utf8), 0xE306_9283),
        ([], 0),
    ]

    @Test(arguments: knownAnswers)
    func theKnownAnswersAreGiven(_ bytes: [UInt8], _ expected: UInt32) {
        #expect(CRC32C.checksum(of: ByteBuffer(bytes: bytes)) == expected)
    }

    @Test(arguments: knownAnswers)
    func onlyTheReadableBytesCount(_ bytes: [UInt8], _ expected: UInt32) {
        var buffer = ByteBuffer(bytes: [1, 2, 3])
        buffer.writeBytes(bytes)
        buffer.writeBytes([4, 5])
        buffer.moveReaderIndex(to: 3)
        buffer.moveWriterIndex(to: 3 + bytes.count)
        #expect(CRC32C.checksum(of: buffer) == expected)
        #expect(buffer.readableBytes == bytes.count)
    }

    @Test func aSliceOfABufferHasTheChecksumOfItsOwnBytes() throws {
        let whole = ByteBuffer(string: "..123456789..")
        let slice = try #require(whole.getSlice(at: 2, length: 9))
        #expect(CRC32C.checksum(of: slice) == 0xE306_9283)
    }

    /// Every length around the steps in which the assembly code works gives what the definition gives, bit by bit.
    @Test func everyLengthGivesWhatTheDefinitionGives() {
        for count in Array(0...300) + [1_023, 1_024, 1_025, 4_095, 4_096, 4_097] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ 7) }
            #expect(CRC32C.checksum(of: ByteBuffer(bytes: bytes)) == Self.byDefinition(bytes))
        }
    }

    @Test func aChecksumGoesOnFromThatOfTheBytesBefore() {
        let bytes = (0..<5_000).map { UInt8(truncatingIfNeeded: $0 &* 29 &+ $0 >> 7) }
        let whole = CRC32C.checksum(of: ByteBuffer(bytes: bytes))
        for count in [0, 1, 7, 8, 9, 255, 256, 257, 4_096, 4_999, 5_000] {
            bytes.withUnsafeBytes { all in
                let first = CRC32C.checksum(of: UnsafeRawBufferPointer(rebasing: all[..<count]))
                let rest = UnsafeRawBufferPointer(rebasing: all[count...])
                #expect(CRC32C.checksum(of: rest, after: first) == whole)
            }
        }
    }

    /// Wherever bytes are cut, the checksums of both pieces give that of the whole.
    @Test func piecesGiveTheChecksumOfTheWhole() {
        let bytes = (0..<5_000).map { UInt8(truncatingIfNeeded: $0 &* 29 &+ $0 >> 7) }
        let whole = CRC32C.checksum(of: ByteBuffer(bytes: bytes))
        for count in Array(0...300) + [1_023, 1_024, 1_025, 4_095, 4_096, 4_097, 4_999, 5_000] {
            let first = CRC32C.checksum(of: ByteBuffer(bytes: bytes[..<count]))
            let second = CRC32C.checksum(of: ByteBuffer(bytes: bytes[count...]))
            #expect(CRC32C.joined(first, second, ofCount: bytes.count - count) == whole)
        }
    }

    /// 4 GiB of zeros, which is more than anybody reads at once: 32 of them doubled, and 4,096 times 1 MiB.
    @Test func aPieceMayBeOfAnyLength() {
        var zeros: UInt32 = 0x8A91_36AA
        for doubling in 0..<27 { zeros = CRC32C.joined(zeros, zeros, ofCount: 32 << doubling) }
        var other: UInt32 = 0
        let mebibyte = CRC32C.checksum(of: ByteBuffer(repeating: 0, count: 1 << 20))
        for _ in 0..<4_096 { other = CRC32C.joined(other, mebibyte, ofCount: 1 << 20) }
        #expect(zeros == other)
    }

    @Test func oneBitMakesAnotherChecksum() {
        var bytes = [UInt8](repeating: 0xA5, count: 4_096)
        let before = CRC32C.checksum(of: ByteBuffer(bytes: bytes))
        bytes[4_095] ^= 1
        #expect(CRC32C.checksum(of: ByteBuffer(bytes: bytes)) != before)
    }

    private static func byDefinition(_ bytes: [UInt8]) -> UInt32 {
        var sum: UInt32 = ~0
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? (sum >> 1) ^ 0x82F6_3B78 : sum >> 1 }
        }
        return ~sum
    }
}
