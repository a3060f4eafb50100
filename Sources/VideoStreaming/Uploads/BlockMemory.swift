@_spi(CustomByteBufferAllocator) import NIOCore

#if canImport(Glibc)
    import Glibc
#endif

/// Memory for a block, as large as the block. By itself a `ByteBuffer` takes the next power of two: 8 MiB for the 5 MiB that S3 wants
/// at the least, and of what is taken again and again, every page is written to sooner or later. The peak of a gateway with twenty uploads
/// at once (to S3's test server) was 112 MB with it, and 132 without.
enum BlockMemory {
    private static let allocator = ByteBufferAllocator(
        allocate: { malloc($0) },
        reallocate: { (pointer, _, count) in realloc(pointer, count) },
        deallocate: { free($0) },
        copy: { $0.copyMemory(from: $1, byteCount: $2) })

    /// An empty buffer with room for so many bytes. It grows where it has to, as any other.
    static func buffer(for count: Int) -> ByteBuffer {
        guard count > 0, let memory = malloc(count) else { return ByteBufferAllocator().buffer(capacity: count) }
        return ByteBuffer(
            takingOwnershipOf: UnsafeMutableRawBufferPointer(start: memory, count: count), allocator: allocator,
            writerIndex: 0)
    }
}
