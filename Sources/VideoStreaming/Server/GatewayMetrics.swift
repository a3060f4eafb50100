import HTTPTypes
import Metrics
import Synchronization

/// What the gateway counts. Labels have few values each, whatever clients send.
final class GatewayMetrics: Sendable {
    private struct Key: Hashable {
        let method: String
        let route: String
        let status: Int
    }

    private struct Handles {
        let requests: Counter
        let firstByte: Metrics.Timer
        let duration: Metrics.Timer
    }

    private static let methods: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options]

    private let sentBytes = Counter(label: "millrace_gateway_sent_bytes_total")
    private let cutStreams = Counter(label: "millrace_gateway_cut_responses_total")
    private let abortedStreams = Counter(label: "millrace_gateway_aborted_responses_total")
    private let stalledStreams = Counter(label: "millrace_gateway_stalled_responses_total")
    /// Made once and kept: making one asks the metrics factory, which takes longer than counting does.
    private let handles = Mutex<[Key: Handles]>([:])

    /// Counts with the process's metrics.
    init() {}

    /// Takes account of a response that has ended.
    func record(_ ended: EndedExchange) {
        let handles = handles(of: ended)
        handles.requests.increment()
        sentBytes.increment(by: ended.sentBytes)
        switch ended.outcome {
        case .complete: break
        case .cut: cutStreams.increment()
        case .aborted: abortedStreams.increment()
        case .stalled: stalledStreams.increment()
        }
        if let time = ended.timeToFirstByte { handles.firstByte.recordNanoseconds(time.wholeNanoseconds) }
        handles.duration.recordNanoseconds(ended.duration.wholeNanoseconds)
    }

    private func handles(of ended: EndedExchange) -> Handles {
        let method = Self.methods.contains(ended.method) ? ended.method.rawValue : "other"
        let key = Key(method: method, route: ended.route, status: ended.status?.code ?? 0)
        return handles.withLock { handles in
            if let known = handles[key] { return known }
            let status = key.status == 0 ? "none" : String(key.status)
            let route = [("route", key.route)]
            let made = Handles(
                requests: Counter(
                    label: "millrace_gateway_requests_total",
                    dimensions: [("method", key.method), ("status", status)] + route),
                firstByte: Metrics.Timer(label: "millrace_gateway_first_byte_seconds", dimensions: route),
                duration: Metrics.Timer(label: "millrace_gateway_request_seconds", dimensions: route))
            handles[key] = made
            return made
        }
    }
}
