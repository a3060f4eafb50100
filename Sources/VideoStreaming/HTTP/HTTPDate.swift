#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A moment as HTTP writes it: whole seconds of UTC, in the years 1 to 9999 (RFC 9110 section 5.6.7).
///
/// Foundation's formatters are not used: they would bring ICU into the binary, and Hummingbird's own helper reads only
/// one of the three forms that a recipient must accept.
struct HTTPDate: Sendable, Hashable, Comparable {
    /// Seconds since 1970-01-01T00:00:00Z; negative before.
    let secondsSinceEpoch: Int64

    private static let bounds: ClosedRange<Int64> = -62_135_596_800...253_402_300_799
    private static let dayNames = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let longDayNames = [
        "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
    ]
    private static let monthNames = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// A moment; `nil` when it lies outside the years 1 to 9999.
    init?(secondsSinceEpoch: Int64) {
        guard Self.bounds.contains(secondsSinceEpoch) else { return nil }
        self.secondsSinceEpoch = secondsSinceEpoch
    }

    /// The second in which a date lies; `nil` when HTTP cannot write it (outside the years 1 to 9999, or not a number).
    init?(_ date: Date) {
        let seconds = date.timeIntervalSince1970.rounded(.down)
        guard seconds >= Double(Self.bounds.lowerBound), seconds <= Double(Self.bounds.upperBound) else { return nil }
        self.secondsSinceEpoch = Int64(seconds)
    }

    /// The second that it is; `nil` when the machine's clock is outside the years 1 to 9999.
    static var now: HTTPDate? { HTTPDate(Date()) }

    /// Reads any of the three forms: IMF-fixdate, and the obsolete ones of RFC 850 and of C's `asctime`.
    ///
    /// The name of the day must be one, but is not compared with the date. A two-digit year that would lie more than 50
    /// years after `now` is one of the century before, as the RFC asks.
    init?(_ text: String, now: HTTPDate) {
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        switch (parts.count, parts.first?.last) {
        case (6, ","):
            self.init(fixdate: parts)
        case (4, ","):
            self.init(rfc850: parts, now: now)
        case (5, _), (6, _):
            self.init(asctime: parts)
        default:
            return nil
        }
    }

    private init?(fixdate parts: [Substring]) {
        guard Self.dayNames.contains(String(parts[0].dropLast())), parts[5] == "GMT",
            let day = Self.number(parts[1], digits: 2), let month = Self.month(parts[2]),
            let year = Self.number(parts[3], digits: 4), let time = Self.secondOfDay(parts[4])
        else { return nil }
        self.init(year: year, month: month, day: day, secondOfDay: time)
    }

    private init?(rfc850 parts: [Substring], now: HTTPDate) {
        let date = parts[1].split(separator: "-", omittingEmptySubsequences: false)
        guard Self.longDayNames.contains(String(parts[0].dropLast())), parts[3] == "GMT", date.count == 3,
            let day = Self.number(date[0], digits: 2), let month = Self.month(date[1]),
            let shortYear = Self.number(date[2], digits: 2), let time = Self.secondOfDay(parts[2])
        else { return nil }
        let currentYear = now.civil.year
        var year = currentYear / 100 * 100 + shortYear
        if year > currentYear + 50 { year -= 100 }
        self.init(year: year, month: month, day: day, secondOfDay: time)
    }

    private init?(asctime parts: [Substring]) {
        // A day of one digit is padded with a blank, which leaves an empty part before it.
        let day: Int64? =
            switch parts.count {
            case 6 where parts[2].isEmpty: Self.number(parts[3], digits: 1)
            case 5: Self.number(parts[2], digits: 2)
            default: nil
            }
        guard Self.dayNames.contains(String(parts[0])), let month = Self.month(parts[1]), let day,
            let time = Self.secondOfDay(parts[parts.count - 2]),
            let year = Self.number(parts[parts.count - 1], digits: 4)
        else { return nil }
        self.init(year: year, month: month, day: day, secondOfDay: time)
    }

    private init?(year: Int64, month: Int64, day: Int64, secondOfDay: Int64) {
        guard year >= 1, day >= 1, day <= Self.daysInMonth(month, year: year) else { return nil }
        self.init(secondsSinceEpoch: Self.daysSinceEpoch(year: year, month: month, day: day) * 86_400 + secondOfDay)
    }

    static func < (left: HTTPDate, right: HTTPDate) -> Bool {
        left.secondsSinceEpoch < right.secondsSinceEpoch
    }
}

extension HTTPDate: CustomStringConvertible {
    /// The IMF-fixdate, the only form that is ever sent: `Sun, 06 Nov 1994 08:49:37 GMT`.
    var description: String {
        let (year, month, day) = civil
        let days = Self.floorDivide(secondsSinceEpoch, 86_400)
        let second = secondsSinceEpoch - days * 86_400
        let weekday = Int((days % 7 + 7 + 4) % 7)
        let date = "\(Self.padded(day)) \(Self.monthNames[Int(month - 1)]) \(Self.padded(year, digits: 4))"
        let time = "\(Self.padded(second / 3_600)):\(Self.padded(second / 60 % 60)):\(Self.padded(second % 60))"
        return "\(Self.dayNames[weekday]), \(date) \(time) GMT"
    }
}

extension HTTPDate {
    /// Year, month and day in the Gregorian calendar; Howard Hinnant's `civil_from_days`.
    private var civil: (year: Int64, month: Int64, day: Int64) {
        let shifted = Self.floorDivide(secondsSinceEpoch, 86_400) + 719_468
        let era = Self.floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    /// Howard Hinnant's `days_from_civil`.
    private static func daysSinceEpoch(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = floorDivide(shiftedYear, 400)
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func daysInMonth(_ month: Int64, year: Int64) -> Int64 {
        let isLeapYear = year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
        return switch month {
        case 2: isLeapYear ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        value >= 0 ? value / divisor : (value - divisor + 1) / divisor
    }

    private static func number(_ text: Substring, digits: Int) -> Int64? {
        guard text.utf8.count == digits, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int64(text)
    }

    private static func month(_ text: Substring) -> Int64? {
        monthNames.firstIndex(of: String(text)).map { Int64($0) + 1 }
    }

    /// `hh:mm:ss`; the 60th second is a leap second, which counts as the first of the next minute.
    private static func secondOfDay(_ text: Substring) -> Int64? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let hour = number(parts[0], digits: 2), let minute = number(parts[1], digits: 2),
            let second = number(parts[2], digits: 2), hour < 24, minute < 60, second <= 60
        else { return nil }
        return hour * 3_600 + minute * 60 + second
    }

    private static func padded(_ value: Int64, digits: Int = 2) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
