/// The pauses between attempts: doubling, each drawn at random from its upper half so that many streams that failed at
/// the same moment do not come back at the same moment.
struct RetryPause: Sendable {
    private var ceiling: Duration
    private let limit: Duration

    /// Pauses that start here and grow up to the limit.
    init(first: Duration, limit: Duration) {
        ceiling = first
        self.limit = limit
    }

    /// The next pause.
    mutating func next() -> Duration {
        let pause = ceiling * Double.random(in: 0.5...1)
        ceiling = min(limit, ceiling * 2)
        return pause
    }
}
