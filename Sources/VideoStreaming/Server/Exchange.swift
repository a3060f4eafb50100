import HTTPTypes
import Logging
import ServiceKit
import Synchronization

/// Keeps account of one response while it is sent, and reports once when it has ended.
///
/// A client may be gone before the head is written; then the body is never asked for, and the account is simply dropped.
/// That, too, is an end, and is reported as aborted.
final class Exchange: Sendable {
    private struct Account {
        var sentBytes: Int64 = 0
        var firstByteAt: ContinuousClock.Instant?
        var hasBegun = false
        var isReported = false
        var hasStalled = false
    }

    private let method: HTTPRequest.Method
    private let target: String
    private let route: String
    private let status: HTTPResponse.Status
    private let started: ContinuousClock.Instant
    private let trace: TraceContext?
    private let logger: Logger
    private let metrics: GatewayMetrics
    private let account = Mutex(Account())

    /// Opens the account.
    init(
        request: HTTPRequest, route: String, status: HTTPResponse.Status, started: ContinuousClock.Instant,
        trace: TraceContext?, logger: Logger, metrics: GatewayMetrics
    ) {
        method = request.method
        target = request.path ?? ""
        self.route = route
        self.status = status
        self.started = started
        self.trace = trace
        self.logger = logger
        self.metrics = metrics
    }

    deinit {
        end(.aborted)
    }

    /// Takes note that the head was written.
    func begin() {
        account.withLock { $0.hasBegun = true }
    }

    /// Takes note of bytes that the connection took.
    func sent(_ count: Int) {
        account.withLock { account in
            if account.firstByteAt == nil { account.firstByteAt = .now }
            account.sentBytes += Int64(count)
        }
    }

    /// How many bytes the connection took.
    var sentBytes: Int64 { account.withLock(\.sentBytes) }

    /// Takes note that the viewer takes nothing, and that its connection is closed for that.
    func viewerStalled() {
        account.withLock { $0.hasStalled = true }
    }

    /// Closes the account and reports; does nothing the second time.
    func end(_ outcome: Outcome) {
        let ended: EndedExchange? = account.withLock { account in
            guard !account.isReported else { return nil }
            account.isReported = true
            return EndedExchange(
                method: method, target: target, route: route, status: account.hasBegun ? status : nil,
                sentBytes: account.sentBytes,
                outcome: account.hasStalled && outcome != .complete ? .stalled : outcome,
                duration: started.duration(to: .now),
                timeToFirstByte: account.firstByteAt.map { started.duration(to: $0) }, trace: trace)
        }
        guard let ended else { return }
        ended.log(to: logger)
        metrics.record(ended)
    }
}
