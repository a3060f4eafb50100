/// How a process takes its time to stop.
struct StopTimes: Sendable {
    /// Nobody who presses Ctrl-C wants to wait. Where requests are routed by readiness, it should be some seconds more than
    /// it takes until that is noticed.
    static let drainSeconds = 0
    /// The drain of a worker (10 s) and the flush (5 s) with a margin. Docker kills after 10 s unless told otherwise, Kubernetes
    /// after 30 s.
    static let stopSeconds = 18

    /// How long everything goes on after the signal.
    let drain: Duration
    /// How long what is under way may take after that.
    let stop: Duration

    /// Reads the settings.
    init(_ settings: Settings) throws(SettingError) {
        drain = .seconds(
            try settings.number(
                "DRAIN_SECONDS", meaning: "for how many seconds after SIGTERM new requests are still taken",
                in: 0...3_600, default: Self.drainSeconds))
        stop = .seconds(
            try settings.number(
                "STOP_SECONDS", meaning: "how many seconds what is under way may take at the end", in: 1...86_400,
                default: Self.stopSeconds))
    }
}
