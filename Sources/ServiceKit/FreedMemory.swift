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
/// (medians of twelve and of nine in turn, which went from 303 to 430).
///
/// What one heap keeps is of no use to a thread that allocates from another, and a large block comes from whichever heap its thread
/// has. Left alone, glibc makes a heap for every thread that allocates, up to eight for each core, and each of them grew to what
/// all of them together needed at once. With one for each core, on two, the peak of a gateway that had served a GiB and then took twenty
/// uploads at once (to S3's test server) was 112 MB instead of 146, and of one that read a GiB from there 61 MB instead of 116; what
/// they did in a second was the same within the spread. (mallopt(3).)
enum FreedMemory {
    /// How much each heap keeps.
    private static let keptBytes: CInt = 64 << 20
    /// Larger blocks are the kernel's at once. Blocks of uploads, and what is read at once, have up to 5 MiB: with a bound of 4, an
    /// upload to Azure cost the gateway 3.4 s of processor time a GiB, and the worker 4.3 s, where it is 2.4 and 3.3 s now.
    private static let largeBlockBytes: CInt = 16 << 20

    /// Call it early: it is true of what is freed later.
    static func keepSome() {
        #if canImport(Glibc)
            mallopt(M_TRIM_THRESHOLD, keptBytes)
            mallopt(M_MMAP_THRESHOLD, largeBlockBytes)
            mallopt(M_ARENA_MAX, CInt(clamping: max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN)))))
        #endif
    }
}
