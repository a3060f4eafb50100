/// A replication timestamp: seconds since 1970 and a counter within the second.
public struct BSONTimestamp: Hashable, Sendable {
    /// Seconds since 1970.
    public var seconds: UInt32
    /// Orders what happened in the same second.
    public var increment: UInt32

    /// A timestamp of its two parts.
    public init(seconds: UInt32, increment: UInt32) {
        self.seconds = seconds
        self.increment = increment
    }
}
