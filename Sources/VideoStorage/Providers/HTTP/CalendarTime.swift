#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A moment in the forms that storage services write: RFC 9110's HTTP date, ISO 8601 and AWS's own.
struct CalendarTime: Sendable, Equatable {
    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Seconds since 1970 in UTC.
    let seconds: Double

    /// A moment that is known.
    init(secondsSince1970: Double) {
        seconds = secondsSince1970
    }

    /// Reads `Sun, 06 Nov 1994 08:49:37 GMT`; `nil` when it is of another form.
    init?(httpDate text: String) {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let day = Int(words[1]),
            let month = Self.months.firstIndex(of: String(words[2])), let year = Int(words[3])
        else { return nil }
        self.init(year: year, month: month + 1, day: day, time: words[4])
    }

    /// Reads `1994-11-06T08:49:37.123Z`, with or without the fraction; `nil` when it is of another form.
    init?(iso8601 text: String) {
        let halves = text.split(separator: "T")
        guard halves.count == 2, halves[1].hasSuffix("Z") else { return nil }
        let date = halves[0].split(separator: "-").compactMap { Int($0) }
        guard date.count == 3 else { return nil }
        self.init(year: date[0], month: date[1], day: date[2], time: halves[1].dropLast())
    }

    private init?(year: Int, month: Int, day: Int, time: Substring) {
        let parts = time.split(separator: ":")
        guard parts.count == 3, let hour = Int32(parts[0]), let minute = Int32(parts[1]), let second = Double(parts[2]),
            (1970...9_999).contains(year), (1...12).contains(month), (1...31).contains(day), (0...23).contains(hour),
            (0...59).contains(minute), (0..<61).contains(second)
        else { return nil }
        var fields = tm()
        fields.tm_year = Int32(year - 1_900)
        fields.tm_mon = Int32(month - 1)
        fields.tm_mday = Int32(day)
        fields.tm_hour = hour
        fields.tm_min = minute
        seconds = Double(timegm(&fields)) + second
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    var httpDate: String {
        let fields = fields
        let day = Self.days[Int(fields.tm_wday)]
        let month = Self.months[Int(fields.tm_mon)]
        return "\(day), \(Self.two(fields.tm_mday)) \(month) \(fields.tm_year + 1_900) "
            + "\(Self.two(fields.tm_hour)):\(Self.two(fields.tm_min)):\(Self.two(fields.tm_sec)) GMT"
    }

    /// `19941106T084937Z`, as AWS signs it. Its first eight characters are the day.
    var compact: String {
        let fields = fields
        return "\(fields.tm_year + 1_900)\(Self.two(fields.tm_mon + 1))\(Self.two(fields.tm_mday))"
            + "T\(Self.two(fields.tm_hour))\(Self.two(fields.tm_min))\(Self.two(fields.tm_sec))Z"
    }

    private var fields: tm {
        var time = time_t(seconds.rounded(.down))
        var fields = tm()
        gmtime_r(&time, &fields)
        return fields
    }

    private static func two(_ number: Int32) -> String {
        number < 10 ? "0\(number)" : "\(number)"
    }
}
