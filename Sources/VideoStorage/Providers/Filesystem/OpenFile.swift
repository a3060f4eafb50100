import Domain
import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file that is open for reading; closed when the value goes away. All calls block.
struct OpenFile: ~Copyable {
    let descriptor: Int32

    /// Opens whatever is at a path, without waiting for it and without reading from it.
    ///
    /// `O_NONBLOCK` lets the opening of a FIFO return at once, `O_NOCTTY` keeps a terminal from becoming the worker's
    /// own, `O_CLOEXEC` keeps the descriptor from any child process.
    init(path: String) throws(SystemCallFailure) {
        descriptor = try retryingWhenInterrupted("open") {
            open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        }
    }

    deinit {
        close(descriptor)
    }

    /// The file's facts as they are now, or `nil` when it is no regular file and thus no blob.
    func facts() throws(SystemCallFailure) -> BlobFacts? {
        var status = stat()
        _ = try retryingWhenInterrupted("fstat") { fstat(descriptor, &status) }
        guard status.st_mode & S_IFMT == S_IFREG else { return nil }
        return BlobFacts(status: status)
    }

    /// Reads into memory that is allocated once, until the range is full or the file ends.
    ///
    /// - Throws: A `SystemCallFailure`, or the mark's `ServiceError` when nobody waits any more.
    func read(first: Int64, count: Int, mark: CancellationMark) throws -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { memory in
            var filled = 0
            while filled < count {
                try mark.check()
                let target = memory.baseAddress?.advanced(by: filled)
                let part = try retryingWhenInterrupted("pread") {
                    pread(descriptor, target, count - filled, off_t(first) + off_t(filled))
                }
                if part == 0 { break }
                filled += part
            }
            return filled
        }
        return buffer
    }
}

extension BlobFacts {
    /// The validator is made of size, modification time in nanoseconds, and inode.
    ///
    /// A rename over the file changes the inode, a write changes the time. It does not see a write that keeps the size
    /// and then sets the old time again, nor two writes of equal size within one tick of the file system's clock.
    init(status: stat) {
        let seconds = Int64(status.st_mtim.tv_sec)
        let nanoseconds = Int64(status.st_mtim.tv_nsec)
        let time = UInt64(bitPattern: seconds &* 1_000_000_000 &+ nanoseconds)
        self.init(
            size: Int64(status.st_size),
            validator: BlobValidator(UInt64(bitPattern: Int64(status.st_size)), time, UInt64(status.st_ino)),
            modifiedAt: Date(timeIntervalSince1970: Double(seconds) + Double(nanoseconds) / 1e9),
            contentType: nil)
    }
}
