/// Tells a refusal that may be over in a moment from one of a full queue.
///
/// A quorum queue has no leader for a moment after its node has died. A channel that publishes its first message to the
/// queue then gets it refused, as if the queue were full; and in RabbitMQ 3.10 to 3.12 it gets every later one refused as
/// well, for as long as the channel lives (`rabbit_fifo_client:enqueue`: a node that is down is asked again and again).
/// So a refusal where the channel has had nothing accepted yet makes the channel suspect, and is passing while the
/// connection is young.
///
/// Pure: it is told what the broker says and when.
struct FreshRefusals {
    typealias Instant = ContinuousClock.Instant

    struct Route: Hashable {
        let exchange: String
        let routingKey: String
    }

    /// How long a connection is young. The nodes of a cluster agree on a new leader within about a second; a busy machine
    /// takes longer.
    static let youth = Duration.seconds(5)
    /// More routes than this are not remembered; a channel may then be replaced without need.
    private static let maxRoutes = 1_024

    private var connectedAt: Instant?
    private var accepted: Set<Route> = []

    /// Whether the channel should be replaced by a fresh one.
    private(set) var channelIsSuspect = false

    /// The connection has been made.
    mutating func connected(now: Instant) {
        connectedAt = now
    }

    /// There is a fresh channel.
    mutating func channelOpened() {
        accepted.removeAll()
        channelIsSuspect = false
    }

    /// The broker has taken a message over.
    mutating func accepted(_ route: Route) {
        if accepted.count < Self.maxRoutes { accepted.insert(route) }
    }

    /// The broker has refused a message.
    ///
    /// - Returns: Whether that may be over in a moment.
    mutating func refused(_ route: Route, now: Instant) -> Bool {
        guard !accepted.contains(route) else { return false }
        channelIsSuspect = true
        return connectedAt.map { $0.duration(to: now) < Self.youth } ?? false
    }
}
