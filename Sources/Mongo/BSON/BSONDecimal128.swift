/// An IEEE 754-2008 decimal number of 128 bits, kept as it came; no arithmetic and no text form.
public struct BSONDecimal128: Hashable, Sendable {
    /// The low 64 bits.
    public var low: UInt64
    /// The high 64 bits.
    public var high: UInt64

    /// A number of its two halves.
    public init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }
}
