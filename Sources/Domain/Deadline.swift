/// The moment after which nobody waits for an answer any more.
///
/// It is a point on this machine's monotonic clock. Across a wire it travels as the time that is left, so that no two
/// clocks need to agree.
public struct Deadline: Sendable, Hashable, Comparable {
    /// The moment itself.
    public let instant: ContinuousClock.Instant

    /// A deadline at a known moment.
    public init(_ instant: ContinuousClock.Instant) {
        self.instant = instant
    }

    /// A deadline that lies this far ahead.
    public static func after(_ duration: Duration, from now: ContinuousClock.Instant = .now) -> Deadline {
        Deadline(now + duration)
    }

    /// The time that is left, never negative.
    public func remaining(at now: ContinuousClock.Instant = .now) -> Duration {
        max(.zero, now.duration(to: instant))
    }

    /// Whether the moment has come.
    public func hasPassed(at now: ContinuousClock.Instant = .now) -> Bool {
        now >= instant
    }

    /// The earlier deadline is the smaller one.
    public static func < (left: Deadline, right: Deadline) -> Bool {
        left.instant < right.instant
    }
}

extension Duration {
    /// Whole milliseconds, rounded down; at least 0 and at most `Int64.max`.
    public var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
        guard !overflow else { return .max }
        let (sum, carried) = product.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
        return carried ? .max : sum
    }

    /// Seconds with a fraction, for metrics and messages.
    public var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
