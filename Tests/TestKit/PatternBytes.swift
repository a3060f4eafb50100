public import NIOCore

/// Bytes that tell where in a blob they are, and of which blob: cheap to make again for comparison, whatever the size.
public struct PatternBytes: Sendable, Hashable {
    /// Which blob. Seeds that lie close together give the same bytes at other places; 2³² apart they do not.
    public let seed: UInt64
    /// How many bytes it has.
    public let count: Int64

    /// The bytes of one blob.
    public init(seed: UInt64, count: Int64) {
        self.seed = seed
        self.count = count
    }

    /// The bytes of a part; the part may reach past the end.
    public func buffer(from first: Int64 = 0, count wanted: Int64? = nil) -> ByteBuffer {
        let end = min(count, first + (wanted ?? count))
        guard first < end else { return ByteBuffer() }
        let firstWord = first / 8
        let words = (end + 7) / 8 - firstWord
        var buffer = ByteBufferAllocator().buffer(capacity: Int(words) * 8)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Int(words) * 8) { memory in
            let target = memory.bindMemory(to: UInt64.self)
            for index in 0..<Int(words) {
                target[index] = (UInt64(firstWord) &+ UInt64(index) &+ seed) &* 0x9E37_79B9_7F4A_7C15
            }
            return Int(words) * 8
        }
        buffer.moveReaderIndex(forwardBy: Int(first - firstWord * 8))
        return buffer.readSlice(length: Int(end - first)) ?? ByteBuffer()
    }
}
