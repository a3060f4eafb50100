import Contracts
import Domain
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The file in which the blocks of one upload are gathered. All calls block.
///
/// Each block is written where it belongs in the blob, so that nothing has to be copied later. Which blocks are whole is
/// kept in the same file, far behind the last byte that a blob can have, one record a block: so one flush makes a block
/// and its record durable, and a block without a record never was. The hole between takes no room on a file system that
/// has holes (ext4, XFS, Btrfs, tmpfs, NFS from version 4.2).
///
/// *Sealing* checks the records and cuts the file to the blob's size, which takes them away: a file that ends before
/// ``recordsOffset`` is sealed and takes no more blocks. Staging holds a shared lock, sealing an exclusive one, so no
/// block can be written into a file that has become a blob.
struct PartFile: ~Copyable {
    /// Blocks that are this large keep a disk streaming, and 64 of them on their way take little memory.
    static let limits = ProviderLimits(blockBytes: 1_048_576, maxBlocks: 1 << 20)
    /// Behind the largest blob: 1 TiB.
    private static let recordsOffset = off_t(limits.maxBlobBytes)
    private static let recordBytes = 16
    /// "MRBK": what a hole does not hold.
    private static let mark: UInt32 = 0x4D52_424B
    /// How long to wait between two looks at a lock that another process may hold.
    private static let lockPauseMicroseconds: UInt32 = 2_000

    private let descriptor: Int32

    /// Opens the file of an upload that was begun.
    ///
    /// - Throws: `ENOENT` when there is none.
    init(_ name: String, in folder: Folder) throws(SystemCallFailure) {
        let folder = folder.descriptor
        descriptor = try retryingWhenInterrupted("openat") {
            openat(folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        }
    }

    deinit {
        // This also gives up the lock.
        close(descriptor)
    }

    private init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Makes the file of an upload unless it is there, durably.
    static func create(_ name: String, in folder: Folder, mark: CancellationMark) throws {
        let parent = folder.descriptor
        let file = PartFile(
            descriptor: try retryingWhenInterrupted("openat") {
                openat(parent, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
            })
        // No commit may come between the look and the change: it would find its sealed file open again.
        try file.lock(exclusively: true, mark: mark)
        try file.prepare()
        try folder.sync()
    }

    /// Opens a file for blocks that is new.
    private func prepare() throws(SystemCallFailure) {
        let status = try status()
        // A size of 0 may also be a sealed file that becomes an empty blob; to open it again harms nobody as long as it has
        // no other name, since committing it seals it again.
        if status.st_size == 0, status.st_nlink == 1 {
            _ = try retryingWhenInterrupted("ftruncate") { ftruncate(descriptor, Self.recordsOffset + 1) }
        }
        _ = try retryingWhenInterrupted("fsync") { fsync(descriptor) }
    }

    /// Waits for the lock.
    func lock(exclusively: Bool, mark: CancellationMark) throws {
        let operation = (exclusively ? LOCK_EX : LOCK_SH) | LOCK_NB
        while true {
            do {
                _ = try retryingWhenInterrupted("flock") { flock(descriptor, operation) }
                return
            } catch {
                guard error.number == EWOULDBLOCK else { throw error }
            }
            try mark.check()
            usleep(Self.lockPauseMicroseconds)
        }
    }

    /// Whether the file still is what its upload is gathered in: it has that name, and no other one as a blob.
    func isCurrent(_ name: String, in folder: Folder) throws(SystemCallFailure) -> Bool {
        guard let there = try folder.status(of: name) else { return false }
        let own = try status()
        return there.st_ino == own.st_ino && there.st_dev == own.st_dev && own.st_nlink == 1
    }

    /// Whether it is sealed.
    func isSealed() throws(SystemCallFailure) -> Bool {
        try status().st_size <= Self.recordsOffset
    }

    /// What the file is now.
    func status() throws(SystemCallFailure) -> stat {
        var status = stat()
        _ = try retryingWhenInterrupted("fstat") { fstat(descriptor, &status) }
        return status
    }

    /// Keeps a block and its record, and waits until both are on the disk.
    ///
    /// - Returns: The receipt: the block's CRC-32C.
    func keep(_ bytes: ByteBuffer, index: Int, turn: WriteTurns.Turn, mark: CancellationMark) throws -> String {
        let checksum = CRC32C.checksum(of: bytes)
        try turn.take { try write(bytes, at: off_t(index) * off_t(Self.limits.blockBytes), mark: mark) }
        var record = ByteBuffer()
        record.writeMultipleIntegers(Self.mark, UInt32(bytes.readableBytes), checksum, UInt32(0))
        try write(record, at: Self.recordsOffset + 1 + off_t(index * Self.recordBytes), mark: mark)
        _ = try retryingWhenInterrupted("fdatasync") { fdatasync(descriptor) }
        return Self.receipt(of: checksum)
    }

    /// Makes the file the blob of these blocks, except for its name. Whole and on the disk when it returns.
    ///
    /// - Throws: `invalidArgument` when a block was not staged, or was staged with other bytes since.
    func seal(_ blocks: [StagedBlock], totalBytes: Int64, mark: CancellationMark) throws {
        if try isSealed() {
            // The one before us got this far. What it sealed were the same blocks, if they are as many bytes.
            guard Int64(try status().st_size) == totalBytes else {
                throw ServiceError(.invalidArgument, "The blocks are not those with which the upload was committed.")
            }
        } else {
            let records = try read(blocks.count * Self.recordBytes, at: Self.recordsOffset + 1, mark: mark)
            for block in blocks { try Self.check(block, in: records) }
            _ = try retryingWhenInterrupted("ftruncate") { ftruncate(descriptor, off_t(totalBytes)) }
        }
        _ = try retryingWhenInterrupted("fsync") { fsync(descriptor) }
    }

    private static func check(_ block: StagedBlock, in records: ByteBuffer) throws {
        let start = records.readerIndex + block.index * recordBytes
        let isWhole =
            records.getInteger(at: start, as: UInt32.self) == mark
            && records.getInteger(at: start + 4, as: UInt32.self) == UInt32(block.size)
            && records.getInteger(at: start + 8, as: UInt32.self).map(receipt) == block.receipt
        guard isWhole else {
            throw ServiceError(.invalidArgument, "Block \(block.index) was not staged as it is named; stage it again.")
        }
    }

    private static func receipt(of checksum: UInt32) -> String {
        let digits = String(checksum, radix: 16)
        return String(repeating: "0", count: 8 - digits.utf8.count) + digits
    }

    private func write(_ buffer: ByteBuffer, at offset: off_t, mark: CancellationMark) throws {
        try buffer.withUnsafeReadableBytes { memory in
            var written = 0
            while written < memory.count {
                try mark.check()
                let source = memory.baseAddress?.advanced(by: written)
                written += try retryingWhenInterrupted("pwrite") {
                    pwrite(descriptor, source, memory.count - written, offset + off_t(written))
                }
            }
        }
    }

    /// Reads up to a number of bytes; fewer where the file ends.
    private func read(_ count: Int, at offset: off_t, mark: CancellationMark) throws -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { memory in
            var filled = 0
            while filled < count {
                try mark.check()
                let target = memory.baseAddress?.advanced(by: filled)
                let part = try retryingWhenInterrupted("pread") {
                    pread(descriptor, target, count - filled, offset + off_t(filled))
                }
                if part == 0 { break }
                filled += part
            }
            return filled
        }
        return buffer
    }
}
