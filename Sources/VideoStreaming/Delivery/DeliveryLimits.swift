/// How much a stream may hold and how long it may wait.
struct DeliveryLimits: Sendable {
    /// The most chunks that one stream holds or waits for, the one being written included; at least 1.
    var readAheadChunks: Int
    /// How long one attempt to read a chunk may take.
    var chunkDeadline: Duration
    /// How long a stream may stand still, counted from the last bytes that the viewer took.
    var stallBudget: Duration
    /// The pause before the first repetition of a failed read; it doubles up to ``maxRetryPause``.
    var firstRetryPause: Duration = .milliseconds(50)
    /// Long enough to spare a system that is in trouble, short enough that a viewer hardly notices the difference.
    var maxRetryPause: Duration = .seconds(1)
}
