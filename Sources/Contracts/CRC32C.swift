internal import CISAL
public import NIOCore

/// The checksum of chunks on the wire: CRC-32C (Castagnoli), as iSCSI has it (RFC 3720, appendix B.4).
///
/// It finds what TCP's own sum lets through; it is no protection against malice.
public enum CRC32C {
    /// The checksum of the readable bytes.
    public static func checksum(of buffer: ByteBuffer) -> UInt32 {
        buffer.withUnsafeReadableBytes { checksum(of: $0) }
    }

    /// The checksum of bytes in memory.
    public static func checksum(of bytes: UnsafeRawBufferPointer) -> UInt32 {
        // ISA-L counts in `int` and takes a pointer that it does not write through.
        var sum: UInt32 = ~0
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
            let start = UnsafeMutableRawPointer(mutating: part.baseAddress)?.assumingMemoryBound(to: UInt8.self)
            sum = crc32_iscsi(start, Int32(part.count), sum)
            rest = rest.dropFirst(part.count)
        }
        return ~sum
    }
}
