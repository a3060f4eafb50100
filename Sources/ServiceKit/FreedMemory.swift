internal import CLinux

#if canImport(Glibc)
    internal import Glibc
#endif

/// What the C library does with memory that is freed.
///
/// Left alone, glibc gives what is freed at the end of a heap back to the kernel as soon as that is twice its threshold for large
/// blocks, and the next chunk of a video is written to pages that the kernel has to find and to blank again. Measured with a
/// gateway that keeps nothing: a tenth of its processor time for reads of 64 KiB. Eight viewers of whole films, at 700 MB/s, still made
/// 19,000 page faults a second with 4 MiB a heap, and 300 with 16 MiB, in a process of 45 MB either way. A gigabyte from
/// GridFS, read 4 MiB at a time, cost a worker 2.9 s of processor time with 16 MiB, and 2.0 s with 32; one from S3's test server
/// came with 348 and 358 MB/s where gateway and worker kept 32 MiB, and with 375 where they kept 64, as much as glibc makes a heap of
/// (medians of twelve and of nine in turn, which went from 303 to 430). A gateway with twenty uploads at once had 139 MB with 32, 138 with
/// 64 (to Azure's test server), and 148 with either (to S3's). (mallopt(3).)
enum FreedMemory {
    /// How much each heap keeps. There are at most eight heaps for each core, and a process uses as many as it has threads that
    /// allocate.
    private static let keptBytes: CInt = 64 << 20
    /// Larger blocks are the kernel's at once. Blocks of uploads, and what is read at once, have up to 5 MiB: with a bound of 4, an
    /// upload to Azure cost the gateway 3.4 s of processor time a GiB, and the worker 4.3 s, where it is 2.4 and 3.3 s now.
    private static let largeBlockBytes: CInt = 16 << 20

    /// Call it early: it is true of what is freed later.
    static func keepSome() {
        #if canImport(Glibc)
            mallopt(M_TRIM_THRESHOLD, keptBytes)
            mallopt(M_MMAP_THRESHOLD, largeBlockBytes)
        #endif
    }
}
