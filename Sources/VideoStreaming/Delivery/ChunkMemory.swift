internal import CLinux
@_spi(CustomByteBufferAllocator) import NIOCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Memory for chunks that is also a file, so that the kernel can send it to a socket without a copy (sendfile(2)).
///
/// It looks like any memory: a `ByteBuffer` over it is read, sliced, encrypted and compared as every other one, and is given back
/// when the last of its slices has gone. Only who writes to a socket asks for the ``place(of:)`` of its bytes in the file.
///
/// **What is sent without a copy is read by the kernel after sendfile(2) has returned**, until the viewer has acknowledged
/// it. So memory that is given back is never written again: its pages are taken out of the file first (`MADV_REMOVE`), and the
/// region gets new ones when it is used again. What the sockets still hold are the old pages, which nobody else has. For this to
/// be true of every page, no page may reach across two regions: regions begin and end at pages, and the memory is never put
/// into huge pages (`MADV_NOHUGEPAGE`; of those, the kernel would blank a part instead of taking it out). Where pages
/// cannot be taken out, the region is not used again.
///
/// Not guaranteed: that there is room. Bytes for which there is none stay where they are, and are copied when they are sent.
final class ChunkMemory: Sendable {
    /// Fewer bytes are as well copied: a system call of their own, and a packet for the head before them, cost as much (measured
    /// with answers of 64 KiB).
    static let leastBytes = 128 * 1_024
    /// Addresses for each byte that is to be kept. They cost nothing; regions of one size do not become ones of another.
    private static let addressesPerByte = 8
    /// linux/mman.h, since Linux 5.14: all pages are made at once, not each by a fault of its own.
    private static let populateForWriting: CInt = 23
    /// linux/memfd.h.
    private static let closeOnExec: CUnsignedInt = 1

    /// The file.
    let descriptor: CInt
    /// Where in this process it is.
    private let addresses: Range<UInt>
    private let regions: Mutex<RegionAllocator>

    /// Memory for so many bytes; `nil` where the system has no such memory.
    init?(capacityBytes: Int) {
        let (space, overflows) = capacityBytes.multipliedReportingOverflow(by: Self.addressesPerByte)
        guard capacityBytes > 0, !overflows else { return nil }
        let file = memfd_create("chunks", Self.closeOnExec)
        guard file >= 0 else { return nil }
        guard ftruncate(file, space) == 0,
            let start = mmap(nil, space, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0),
            start != MAP_FAILED
        else {
            close(file)
            return nil
        }
        // A kernel that knows no huge pages says that the advice is invalid, and is right.
        guard madvise(start, space, MADV_NOHUGEPAGE) == 0 || errno == EINVAL else {
            munmap(start, space)
            close(file)
            return nil
        }
        descriptor = file
        addresses = UInt(bitPattern: start)..<UInt(bitPattern: start) + UInt(space)
        regions = Mutex(RegionAllocator(spaceBytes: space))
        Self.enter(self)
    }

    deinit {
        // No buffer is left: each holds the memory that it is in.
        Self.leave(addresses)
        munmap(UnsafeMutableRawPointer(bitPattern: addresses.lowerBound), addresses.count)
        close(descriptor)
    }

    /// How many buffers it holds.
    var count: Int { regions.withLock(\.count) }

    /// The same bytes in this memory; as they are, where they are too few to be sent from here, or there is no room.
    func taking(_ bytes: ByteBuffer) -> ByteBuffer {
        let count = bytes.readableBytes
        guard count >= Self.leastBytes, place(of: bytes) == nil, let start = regions.withLock({ $0.take(count) }),
            let address = address(of: start)
        else { return bytes }
        let pages = (count + RegionAllocator.pageBytes - 1) / RegionAllocator.pageBytes * RegionAllocator.pageBytes
        let target = UnsafeMutableRawBufferPointer(start: address, count: pages)
        // Written to without memory behind it, it would be the end of the process (SIGBUS).
        guard madvise(target.baseAddress, pages, Self.populateForWriting) == 0 || errno == EINVAL else {
            giveBack(start)
            return bytes
        }
        bytes.withUnsafeReadableBytes { target.copyMemory(from: $0) }
        // For the buffer; given back with it.
        _ = Unmanaged.passRetained(self)
        return ByteBuffer(takingOwnershipOf: target, allocator: Self.allocator, readerIndex: 0, writerIndex: count)
    }

    /// Where in the file a buffer's readable bytes are; `nil` when they are elsewhere.
    func place(of bytes: ByteBuffer) -> Range<Int>? {
        bytes.withUnsafeReadableBytes { bytes in
            let first = UInt(bitPattern: bytes.baseAddress)
            guard addresses.contains(first), bytes.count <= addresses.upperBound - first else { return nil }
            let start = Int(first - addresses.lowerBound)
            return start..<start + bytes.count
        }
    }

    private func address(of start: Int) -> UnsafeMutableRawPointer? {
        UnsafeMutableRawPointer(bitPattern: addresses.lowerBound + UInt(start))
    }

    private func giveBack(_ start: Int) {
        guard let size = regions.withLock({ $0.size(ofRegionAt: start) }) else { return }
        // Before anybody else may have the region.
        let isRemoved = madvise(address(of: start), size, MADV_REMOVE) == 0
        regions.withLock { isRemoved ? $0.giveBack(start) : $0.abandon(start) }
    }
}

// MARK: - Behind a buffer

/// A buffer knows how its memory is given back by functions that carry nothing with them, so what memory there is has to be
/// found by the address.
extension ChunkMemory {
    private struct Living {
        var addresses: Range<UInt>
        var memory: Unmanaged<ChunkMemory>
    }

    private static let living = Mutex<[Living]>([])

    private static let allocator = ByteBufferAllocator(
        allocate: { malloc($0) },
        reallocate: { ChunkMemory.move($0, $1, $2) },
        deallocate: { ChunkMemory.giveBack($0) },
        copy: { $0.copyMemory(from: $1, byteCount: $2) })

    private static func enter(_ memory: ChunkMemory) {
        let entry = Living(addresses: memory.addresses, memory: .passUnretained(memory))
        living.withLock { $0.append(entry) }
    }

    private static func leave(_ addresses: Range<UInt>) {
        living.withLock { $0.removeAll { $0.addresses == addresses } }
    }

    /// The memory that a pointer leads into; it is there as long as one of its buffers is.
    private static func owner(of pointer: UnsafeMutableRawPointer) -> Unmanaged<ChunkMemory>? {
        let address = UInt(bitPattern: pointer)
        return living.withLock { living in living.first { $0.addresses.contains(address) }?.memory }
    }

    private static func giveBack(_ pointer: UnsafeMutableRawPointer) {
        guard let owner = owner(of: pointer) else { return free(pointer) }
        owner._withUnsafeGuaranteedRef { memory in
            memory.giveBack(Int(UInt(bitPattern: pointer) - memory.addresses.lowerBound))
        }
        owner.release()
    }

    /// A chunk is never written to. If a buffer over one were, it would go on in memory of the usual kind.
    private static func move(_ pointer: UnsafeMutableRawPointer?, _ old: Int, _ new: Int) -> UnsafeMutableRawPointer? {
        guard let pointer, owner(of: pointer) != nil else { return realloc(pointer, new) }
        guard let moved = malloc(new) else { return nil }
        moved.copyMemory(from: pointer, byteCount: min(old, new))
        giveBack(pointer)
        return moved
    }
}
