import Foundation

/// Shows how far a long work has come, on a terminal; elsewhere it shows nothing.
struct ProgressBar {
    private var label: String
    private let total: Int64
    private let isShown: Bool
    private let start = ContinuousClock.now
    private var lastDrawn: ContinuousClock.Instant?

    init(_ label: String, total: Int64, isShown: Bool = isatty(STDERR_FILENO) == 1) {
        self.label = label
        self.total = total
        self.isShown = isShown
    }

    /// Draws at most ten times a second.
    mutating func update(_ done: Int64, now: ContinuousClock.Instant = .now) {
        guard isShown else { return }
        if let lastDrawn, lastDrawn.duration(to: now) < .milliseconds(100), done < total { return }
        lastDrawn = now
        let seconds = start.duration(to: now) / .seconds(1)
        FileHandle.standardError.write(Data(("\r" + Self.line(label, done, total, seconds: seconds)).utf8))
    }

    /// Draws with another label.
    mutating func update(_ done: Int64, label: String, now: ContinuousClock.Instant = .now) {
        self.label = label
        update(done, now: now)
    }

    /// Leaves the line to what comes next.
    func finish() {
        guard isShown else { return }
        FileHandle.standardError.write(Data("\r\u{1B}[K".utf8))
    }

    static func line(_ label: String, _ done: Int64, _ total: Int64, seconds: Double) -> String {
        let (done, total) = (max(0, done), max(0, total))
        let share = total > 0 ? min(1, Double(done) / Double(total)) : 1
        let filled = Int(share * 24)
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: 24 - filled)
        let rate = seconds > 0 ? Double(done) / seconds : 0
        let left = rate > 0 ? Double(max(0, total - done)) / rate : 0
        let percent = Int(share * 100)
        let speed = "\(size(whole(rate)))/s, \(whole(left.rounded(.up))) s left "
        return "\(label.printable.prefix(32)) \(bar) \(percent) %  \(size(done)) of \(size(total)), \(speed)"
    }

    /// Without its fraction; what is beyond counting is the last number.
    private static func whole(_ value: Double) -> Int64 {
        Int64(exactly: value.rounded(.down)) ?? .max
    }

    /// Bytes for people: three digits are enough.
    static func size(_ bytes: Int64) -> String {
        let units = ["B", "kB", "MB", "GB", "TB"]
        var (value, unit) = (Double(bytes), 0)
        while value >= 1_000, unit < units.count - 1 { (value, unit) = (value / 1_000, unit + 1) }
        let text = unit == 0 || value >= 100 ? "\(Int(value))" : "\((value * 10).rounded(.down) / 10)"
        return "\(text) \(units[unit])"
    }
}
