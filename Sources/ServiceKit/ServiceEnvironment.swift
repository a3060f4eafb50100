public import Logging

/// What a process hands to its composition.
public struct ServiceEnvironment: Sendable {
    /// Its settings.
    public let settings: Settings
    /// Its log.
    public let logger: Logger
    /// What it counts.
    public let metrics: MetricsRegistry
    /// Whether it is about to stop.
    public let draining: Draining
    /// How long a start waits for what it cannot do without, in seconds.
    public let startSeconds: Int
}
