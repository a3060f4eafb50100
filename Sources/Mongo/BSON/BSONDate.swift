#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Between `Date` and the milliseconds since 1970 that BSON stores.
enum BSONDate {
    static func date(milliseconds: Int64) -> Date {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000)
    }

    /// The nearest millisecond. A date outside the range of 64 bits (292 million years) becomes its nearest end: no
    /// date crashes, and not-a-number becomes 1970.
    static func milliseconds(_ date: Date) -> Int64 {
        let value = (date.timeIntervalSince1970 * 1000).rounded()
        guard !value.isNaN else { return 0 }
        return Int64(exactly: value) ?? (value < 0 ? .min : .max)
    }
}
