import Contracts
import Domain
import NIOCore

/// The CRC-32C of every piece of a blob, kept beside it by ``CheckedProvider``.
struct ChecksumTable: Sendable, Equatable {
    /// The chunk that viewers read: one look verifies it.
    static let pieceBytes = 262_144
    /// "MRC1".
    private static let mark: UInt32 = 0x4D52_4331

    /// The size of the blob.
    let size: Int64
    /// One for each piece, in order.
    let sums: [UInt32]

    /// Puts a table together; `nil` when it does not have one sum for each piece.
    init?(size: Int64, sums: [UInt32]) {
        guard size >= 0, Int64(sums.count) == (size + Int64(Self.pieceBytes) - 1) / Int64(Self.pieceBytes) else {
            return nil
        }
        self.size = size
        self.sums = sums
    }

    /// The sums of the pieces of some bytes.
    static func sums(of bytes: ByteBuffer) -> [UInt32] {
        var pieces = PieceSums()
        pieces.add(bytes)
        return pieces.sums
    }

    /// The table as it is stored: mark, size, sums, and a sum of all that.
    var encoded: ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: 16 + 4 * sums.count)
        buffer.writeMultipleIntegers(Self.mark, size)
        for sum in sums { buffer.writeInteger(sum) }
        buffer.writeInteger(CRC32C.checksum(of: buffer))
        return buffer
    }

    /// Reads a table; `nil` when it is damaged.
    init?(_ buffer: ByteBuffer) {
        var content = buffer
        guard content.readableBytes >= 16, var table = content.readSlice(length: content.readableBytes - 4),
            content.readInteger(as: UInt32.self) == CRC32C.checksum(of: table),
            table.readInteger(as: UInt32.self) == Self.mark, let size = table.readInteger(as: Int64.self)
        else { return nil }
        var sums: [UInt32] = []
        sums.reserveCapacity(table.readableBytes / 4)
        while let sum = table.readInteger(as: UInt32.self) { sums.append(sum) }
        self.init(size: size, sums: sums)
    }

    /// The sum of some bytes of the blob, made of those of its pieces; `nil` where they begin or end within one.
    func sum(of range: ClosedRange<Int64>) -> UInt32? {
        let piece = Int64(Self.pieceBytes)
        let end = range.upperBound + 1
        guard range.lowerBound >= 0, end <= size, range.lowerBound % piece == 0, end % piece == 0 || end == size else {
            return nil
        }
        var sum: UInt32 = 0
        for first in stride(from: range.lowerBound, to: end, by: Int(piece)) {
            let count = Int(min(piece, size - first))
            sum = CRC32C.joined(sum, sums[Int(first / piece)], ofCount: count)
        }
        return sum
    }

    /// Whether these are the sums of the pieces from one on.
    func matches(_ found: [UInt32], firstPiece: Int) -> Bool {
        let end = firstPiece + found.count
        return end <= sums.count && found.elementsEqual(sums[firstPiece..<end])
    }
}
