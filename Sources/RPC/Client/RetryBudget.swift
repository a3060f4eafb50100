internal import Domain

/// Keeps repetition from becoming the load: hedges and retries may add about a tenth to the calls that are made.
///
/// A bucket of tokens, in the manner of Finagle's retry budget: each call puts in a tenth of a token, each repetition takes
/// one. A small flow runs in by itself, so that one viewer whose worker has just stopped is helped as well.
///
/// Pure: it is told the time.
struct RetryBudget {
    typealias Instant = ContinuousClock.Instant

    /// What each call allows.
    static let sharePerCall = 0.1
    /// What comes in without any call.
    static let perSecond = 5.0
    /// The most that is saved: a burst of repetition is never longer.
    static let maxTokens = 50.0

    private var tokens = 20.0
    private var filledAt: Instant?

    /// A call is made.
    mutating func deposit() {
        tokens = min(Self.maxTokens, tokens + Self.sharePerCall)
    }

    /// Asks to repeat a call.
    ///
    /// - Returns: Whether that is allowed.
    mutating func withdraw(now: Instant) -> Bool {
        if let filledAt, filledAt < now {
            tokens = min(Self.maxTokens, tokens + filledAt.duration(to: now).inSeconds * Self.perSecond)
        }
        filledAt = max(now, filledAt ?? now)
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }
}
