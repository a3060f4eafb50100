/// How long to wait before trying again: full jitter, that is a random time between nothing and a bound that doubles.
///
/// The randomness keeps a thousand clients of a restarted broker from coming back at one moment (Marc Brooker,
/// "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
public struct Backoff: Sendable {
    /// The bound of the first wait.
    public var first: Duration
    /// What the bound never exceeds.
    public var limit: Duration

    /// 100 ms to 10 s: the first attempts are quick, since most breaks are short; a broker that is away for minutes is
    /// asked a few times a minute.
    public init(first: Duration = .milliseconds(100), limit: Duration = .seconds(10)) {
        self.first = first
        self.limit = limit
    }

    /// The wait before an attempt.
    ///
    /// - Parameters:
    ///   - attempt: How many attempts have failed already, from 0.
    ///   - generator: Where the randomness comes from.
    /// - Returns: A time between nothing and the bound, the bound not included.
    public func delay(attempt: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        let doublings = min(max(0, attempt), 30)
        let bound = min(limit, first * (1 << doublings))
        // 53 random bits: exactly one call of the generator, whatever it gives.
        return bound * (Double(generator.next() >> 11) * 0x1p-53)
    }
}
