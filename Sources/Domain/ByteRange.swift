/// A run of bytes in an object: at least one byte, from `first` to `last`, both included (as RFC 9110 section 14 counts).
public struct ByteRange: Sendable, Hashable, CustomStringConvertible {
    /// The offset of the first byte, from 0.
    public let first: Int64
    /// The offset of the last byte, not less than `first`.
    public let last: Int64

    /// Makes a range; `nil` unless `0 <= first <= last`, and `last` leaves room to count the bytes.
    public init?(first: Int64, last: Int64) {
        guard first >= 0, first <= last, last < Int64.max else { return nil }
        self.first = first
        self.last = last
    }

    /// How many bytes it holds.
    public var count: Int64 { last - first + 1 }

    /// The chunks that hold these bytes.
    public func chunkIndexes(chunkBytes: Int) -> ClosedRange<Int64> {
        let size = Int64(max(1, chunkBytes))
        return (first / size)...(last / size)
    }

    /// The part of a chunk that belongs to this range, as offsets from the chunk's first byte; `nil` when they have no
    /// byte in common.
    public func slice(ofChunkAt offset: Int64, count chunkCount: Int) -> Range<Int>? {
        let (end, overflow) = offset.addingReportingOverflow(Int64(chunkCount))
        guard offset >= 0, !overflow else { return nil }
        let lower = max(first, offset)
        let upper = min(last + 1, end)
        guard lower < upper else { return nil }
        return Int(lower - offset)..<Int(upper - offset)
    }

    /// `first-last`, as a Content-Range has it.
    public var description: String { "\(first)-\(last)" }
}
