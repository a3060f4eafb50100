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
    ///
    /// - Parameters:
    ///   - bytes: The bytes.
    ///   - first: The checksum of those before them; 0 where there are none.
    /// - Returns: That of all.
    public static func checksum(of bytes: UnsafeRawBufferPointer, after first: UInt32 = 0) -> UInt32 {
        // ISA-L counts in `int` and takes a pointer that it does not write through.
        var sum = ~first
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
            let start = UnsafeMutableRawPointer(mutating: part.baseAddress)?.assumingMemoryBound(to: UInt8.self)
            sum = crc32_iscsi(start, Int32(part.count), sum)
            rest = rest.dropFirst(part.count)
        }
        return ~sum
    }

    /// The checksum of two pieces, one after the other, without looking at their bytes.
    ///
    /// As polynomials over GF(2), the sum of the whole is the first one's times x to the power of the second one's bits, plus the
    /// second one's: the inversions at both ends cancel each other out.
    ///
    /// - Parameters:
    ///   - first: The checksum of the first piece; 0 where it has no bytes.
    ///   - second: That of the second.
    ///   - count: How many bytes the second has.
    /// - Returns: That of both.
    public static func joined(_ first: UInt32, _ second: UInt32, ofCount count: Int) -> UInt32 {
        var sum = first
        var rest = count
        var power = 3  // 8 bits each
        while rest > 0 {
            if rest & 1 == 1 { sum = product(sum, powers[power]) }
            rest >>= 1
            power += 1
        }
        return sum ^ second
    }

    /// x to the power of 1, 2, 4, and so on: enough for as many bits as an `Int` counts bytes.
    private static let powers: [UInt32] = (1..<Int.bitWidth + 3).reduce(into: [x]) { powers, _ in
        powers.append(product(powers[powers.count - 1], powers[powers.count - 1]))
    }

    // A polynomial's highest bit is the coefficient of 1, as everywhere in a reflected CRC.
    private static let one: UInt32 = 1 << 31
    private static let x: UInt32 = 1 << 30
    private static let polynomial: UInt32 = 0x82F6_3B78

    /// The product of two polynomials, modulo CRC-32C's.
    private static func product(_ left: UInt32, _ right: UInt32) -> UInt32 {
        var sum: UInt32 = 0
        var shifted = right
        var coefficient = one
        while coefficient != 0 {
            if left & coefficient != 0 { sum ^= shifted }
            shifted = shifted >> 1 ^ (shifted & 1 == 1 ? polynomial : 0)
            coefficient >>= 1
        }
        return sum
    }
}
