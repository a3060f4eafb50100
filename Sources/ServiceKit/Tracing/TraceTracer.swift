public import Tracing

/// Gives each span an id within its trace, and carries both in `traceparent` and `tracestate`. It records nothing: a span costs
/// an id.
public struct TraceTracer: Tracer {
    /// A span of which nothing is kept but its context.
    public struct Span: Tracing.Span {
        /// Has the trace.
        public let context: ServiceContext
        /// What it is called.
        public var operationName: String {
            get { name }
            nonmutating set {}
        }
        /// Always none.
        public var attributes: SpanAttributes {
            get { [:] }
            nonmutating set {}
        }
        /// Never.
        public var isRecording: Bool { false }
        private let name: String

        fileprivate init(_ name: String, _ context: ServiceContext) {
            self.name = name
            self.context = context
        }

        /// Does nothing.
        public func setStatus(_ status: SpanStatus) {}
        /// Does nothing.
        public func addEvent(_ event: SpanEvent) {}
        /// Does nothing.
        public func recordError<Instant: TracerInstant>(
            _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
        ) {}
        /// Does nothing.
        public func addLink(_ link: SpanLink) {}
        /// Does nothing.
        public func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {}
    }

    private static let traceparent = "traceparent"
    private static let tracestate = "tracestate"

    /// Makes a tracer.
    public init() {}

    /// Begins a span in the context's trace, or in a new one.
    public func startSpan<Instant: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> ServiceContext, ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant, function: String, file fileID: String, line: UInt
    ) -> Span {
        var context = context()
        context.trace = context.trace?.child() ?? .new()
        return Span(operationName, context)
    }

    /// Does nothing.
    public func forceFlush() {}

    /// Reads the trace; a malformed one counts as none.
    public func extract<Carrier, Extract>(
        _ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract
    ) where Extract: Extractor, Extract.Carrier == Carrier {
        guard let parent = extractor.extract(key: Self.traceparent, from: carrier) else { return }
        context.trace = TraceContext(
            traceparent: parent, tracestate: extractor.extract(key: Self.tracestate, from: carrier))
    }

    /// Writes the trace, if there is one.
    public func inject<Carrier, Inject>(
        _ context: ServiceContext, into carrier: inout Carrier, using injector: Inject
    ) where Inject: Injector, Inject.Carrier == Carrier {
        guard let trace = context.trace else { return }
        injector.inject(trace.traceparent, forKey: Self.traceparent, into: &carrier)
        if let state = trace.tracestate { injector.inject(state, forKey: Self.tracestate, into: &carrier) }
    }
}
