import HTTPTypes
import Metrics

/// What the gateway counts. Labels have few values each, whatever clients send.
struct GatewayMetrics: Sendable {
    private let sentBytes = Counter(label: "gateway_sent_bytes_total")
    private let cutStreams = Counter(label: "gateway_cut_responses_total")
    private let abortedStreams = Counter(label: "gateway_aborted_responses_total")
    private let stalledStreams = Counter(label: "gateway_stalled_responses_total")
    private let firstByte = Metrics.Timer(label: "gateway_first_byte_seconds", preferredDisplayUnit: .seconds)
    private let duration = Metrics.Timer(label: "gateway_request_seconds", preferredDisplayUnit: .seconds)

    /// Takes account of a response that has ended.
    func record(_ ended: EndedExchange) {
        let method =
            [.get, .head, .post, .put, .patch, .delete].contains(ended.method) ? ended.method.rawValue : "other"
        Counter(
            label: "gateway_requests_total",
            dimensions: [
                ("method", method), ("route", ended.route), ("status", ended.status.map { String($0.code) } ?? "none"),
            ]
        ).increment()
        sentBytes.increment(by: ended.sentBytes)
        switch ended.outcome {
        case .complete: break
        case .cut: cutStreams.increment()
        case .aborted: abortedStreams.increment()
        case .stalled: stalledStreams.increment()
        }
        if let time = ended.timeToFirstByte { firstByte.recordNanoseconds(time.wholeNanoseconds) }
        duration.recordNanoseconds(ended.duration.wholeNanoseconds)
    }
}
