import HTTPTypes
import ServiceKit

extension TraceContext {
    /// The trace that a request belongs to, in a span of its own: the one that its header fields name, or a new one.
    static func of(_ fields: HTTPFields) -> TraceContext {
        guard let name = HTTPField.Name("traceparent"), let parent = fields[name] else { return .new() }
        // Several would be joined by commas, which makes them malformed, as the standard wants it; several of the other are one
        // list.
        let state = HTTPField.Name("tracestate").flatMap { fields[$0] }
        return TraceContext(traceparent: parent, tracestate: state)?.child() ?? .new()
    }
}
