import HTTPTypes

/// Where the time until the first byte went (`Server-Timing`, W3C): `find` is the time until the record was there, `first`
/// the time from then until the first bytes were, and where they came from. What took less than a hundredth of a millisecond
/// is given as 0, so that answers from memory need no arithmetic.
struct ServerTiming: Sendable, CustomStringConvertible {
    /// The value for an answer that is made at once of what is in memory.
    static let fromMemory = "find;dur=0, first;dur=0;desc=\(DeliveryMetrics.ChunkSource.cache.rawValue)"

    private let began = ContinuousClock.now
    private var foundAt: ContinuousClock.Instant?
    private var find = Duration.zero
    private var first = Duration.zero
    private var source = DeliveryMetrics.ChunkSource.cache

    /// Takes note that the record is there.
    mutating func found() {
        let now = ContinuousClock.now
        find = began.duration(to: now)
        foundAt = now
    }

    /// Takes note that the first bytes are there.
    mutating func hasFirst(from source: DeliveryMetrics.ChunkSource) {
        first = (foundAt ?? began).duration(to: .now)
        self.source = source
    }

    /// The value of the field.
    var description: String {
        "find;dur=\(Self.milliseconds(find)), first;dur=\(Self.milliseconds(first));desc=\(source.rawValue)"
    }

    /// Milliseconds with two decimals.
    private static func milliseconds(_ duration: Duration) -> String {
        let hundredths = duration.wholeNanoseconds / 10_000
        guard hundredths > 0 else { return "0" }
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}

extension HTTPField.Name {
    /// W3C; HTTPTypes does not list it. The fallback is never taken: the text is a token.
    static let serverTiming = HTTPField.Name("Server-Timing") ?? .trailer
}
