import Contracts
import NIOCore

/// The CRC-32C of each ``ChecksumTable/pieceBytes`` of bytes that come in parts of any length. A value without I/O.
///
/// Taken of each part as it comes, while it is in the processor's cache, they cost less than of all bytes at the end.
struct PieceSums: Sendable {
    private var whole: [UInt32] = []
    private var current: UInt32 = 0
    private var currentCount = 0

    /// Those of the bytes so far, in order; the last piece may be shorter.
    var sums: [UInt32] { currentCount == 0 ? whole : whole + [current] }

    /// Takes the next bytes.
    mutating func add(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let part = rest.prefix(ChecksumTable.pieceBytes - currentCount)
                current = CRC32C.checksum(of: UnsafeRawBufferPointer(rebasing: part), after: current)
                currentCount += part.count
                rest = rest.dropFirst(part.count)
                if currentCount == ChecksumTable.pieceBytes {
                    whole.append(current)
                    (current, currentCount) = (0, 0)
                }
            }
        }
    }
}
