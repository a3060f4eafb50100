import Glibc
import NIOCore

/// The bytes of requests and replies, the same as those of the C program. Each of the calls that are on their way at once
/// has its own, so that a reply to another call is noticed.
enum Pattern {
    static func body(_ bytes: Int, slot: Int) -> ByteBuffer {
        ByteBuffer(bytes: (0..<bytes).map { UInt8(truncatingIfNeeded: $0 * 31 + slot * 7) })
    }
}

/// What this process has cost: user and system time of all threads, as `getrusage` gives it, but in nanoseconds.
enum ProcessorTime {
    static var seconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
