import Domain

/// Whether a client sends its bytes fast enough. Only the time counts in which the gateway waited for the client; when the
/// client waits for storage, that is not held against it. A value without a clock.
struct UploadPace: Sendable {
    /// What is wrong.
    enum Fault: Equatable {
        /// Nothing came for too long.
        case idle
        /// Too little came.
        case tooSlow
    }

    /// How long nothing may come.
    let idleLimit: Duration
    /// The least bytes a second, over a ``window``; 0 for no limit.
    let minBytesPerSecond: Int
    /// How long a client may lag before it is judged: a radio link that drops for some seconds is no slow client.
    static let window = Duration.seconds(20)

    private var waitingSince: ContinuousClock.Instant?
    private var waited = Duration.zero
    private var bytes = 0

    /// A client that has not been waited for yet.
    init(idleLimit: Duration, minBytesPerSecond: Int) {
        self.idleLimit = idleLimit
        self.minBytesPerSecond = minBytesPerSecond
    }

    /// The gateway begins to wait for bytes.
    mutating func waits(at now: ContinuousClock.Instant) {
        waitingSince = now
    }

    /// Bytes have come, and the gateway waits no more.
    mutating func received(_ count: Int, at now: ContinuousClock.Instant) {
        if let since = waitingSince { waited += since.duration(to: now) }
        waitingSince = nil
        bytes += count
        // A window that was filled fast enough is forgotten, so that a quick start buys no slow end.
        guard waited >= Self.window, !isTooSlow(after: waited) else { return }
        waited = .zero
        bytes = 0
    }

    /// What is wrong at this moment.
    func fault(at now: ContinuousClock.Instant) -> Fault? {
        let current = waitingSince.map { $0.duration(to: now) } ?? .zero
        if current >= idleLimit { return .idle }
        let total = waited + current
        return total >= Self.window && isTooSlow(after: total) ? .tooSlow : nil
    }

    private func isTooSlow(after time: Duration) -> Bool {
        Double(bytes) < Double(minBytesPerSecond) * time.inSeconds
    }
}
