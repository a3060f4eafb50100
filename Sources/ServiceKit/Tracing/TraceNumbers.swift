internal import Synchronization

/// Makes the ids of traces and spans: numbers that no other process makes as well, never 0.
///
/// Taken from SplitMix64 (Steele, Lea and Flood, 2014), which begins where the kernel says: asking the kernel for each would
/// be a system call for each. They are no secrets.
enum TraceNumbers {
    private static let state = Atomic<UInt64>(UInt64.random(in: .min ... .max))

    static func next() -> UInt64 {
        var number = state.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue
        number = (number ^ (number >> 30)) &* 0xBF58_476D_1CE4_E5B9
        number = (number ^ (number >> 27)) &* 0x94D0_49BB_1331_11EB
        number ^= number >> 31
        return number == 0 ? 1 : number
    }
}
