#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Moments as RFC 3339 writes them, in UTC and with milliseconds.
enum Timestamp {
    static func now() -> String {
        let milliseconds = Int((Date().timeIntervalSince1970 * 1_000).rounded(.down))
        return text(seconds: milliseconds / 1_000, milliseconds: milliseconds % 1_000)
    }

    /// - Parameters:
    ///   - seconds: Since 1970.
    ///   - milliseconds: 0 to 999.
    /// - Returns: Such as `2026-11-26T15:04:05.678Z`.
    static func text(seconds: Int, milliseconds: Int) -> String {
        let second = ((seconds % 86_400) + 86_400) % 86_400
        let (year, month, day) = date(daysSince1970: (seconds - second) / 86_400)
        return digits(year, 4) + "-" + digits(month, 2) + "-" + digits(day, 2) + "T" + digits(second / 3_600, 2) + ":"
            + digits(second / 60 % 60, 2) + ":" + digits(second % 60, 2) + "." + digits(milliseconds, 3) + "Z"
    }

    /// Howard Hinnant's `civil_from_days` (https://howardhinnant.github.io/date_algorithms.html), for days after the year 0.
    private static func date(daysSince1970 days: Int) -> (year: Int, month: Int, day: Int) {
        let days = days + 719_468
        let (era, dayOfEra) = (days / 146_097, days % 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }

    private static func digits(_ value: Int, _ count: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }
}
