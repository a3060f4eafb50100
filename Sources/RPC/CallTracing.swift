internal import Instrumentation
internal import ServiceContextModule
internal import Tracing

/// Carries trace context in the fields of requests, and makes a span for each call and each request where the process has
/// a tracer (swift-distributed-tracing). Which fields those are is the instrument's affair: `traceparent` and `tracestate`
/// with W3C's.
struct CallTracing: Sendable {
    /// `nil` where there is none: a span that nobody records would cost each call something.
    private let tracer: (any Tracer)?
    private let instrument: any Instrument

    /// - Parameter tracer: The tracer; without one, the process's own.
    init(_ tracer: (any Tracer)? = nil) {
        let tracer = tracer ?? InstrumentationSystem.tracer
        self.tracer = tracer is NoOpTracer ? nil : tracer
        instrument = self.tracer ?? InstrumentationSystem.instrument
    }

    /// A call begins.
    ///
    /// - Parameters:
    ///   - name: The method.
    ///   - fields: Get the trace context that the worker is to go on with.
    /// - Returns: The span, to be ended with the call.
    func begin(_ name: String, _ fields: inout [String: RPCValue]) -> (any Span)? {
        let span = tracer?.startSpan(name, ofKind: .client)
        if let context = span?.context ?? ServiceContext.current {
            instrument.inject(context, into: &fields, using: FieldInjector())
        }
        return span
    }

    /// A request is worked on.
    ///
    /// - Parameters:
    ///   - name: The method.
    ///   - fields: Hold the caller's trace context.
    ///   - work: Runs with that context.
    /// - Returns: What the work returns.
    func serve<Value>(
        _ name: String, _ fields: [String: RPCValue], _ work: ((any Span)?) async -> Value
    ) async -> Value {
        var context = ServiceContext.topLevel
        instrument.extract(fields, into: &context, using: FieldExtractor())
        let span = tracer?.startSpan(name, context: context, ofKind: .server)
        defer { span?.end() }
        return await ServiceContext.withValue(span?.context ?? context) { await work(span) }
    }
}

extension Span {
    /// Notes how a call or a request has failed.
    func failed(_ error: any Error) {
        recordError(error)
        setStatus(SpanStatus(code: .error))
    }
}

/// Reads trace context from the fields of a request.
struct FieldExtractor: Extractor {
    func extract(key: String, from carrier: [String: RPCValue]) -> String? {
        guard case .text(let text) = carrier[key] else { return nil }
        return text
    }
}

/// Writes trace context into the fields of a request.
struct FieldInjector: Injector {
    func inject(_ value: String, forKey key: String, into carrier: inout [String: RPCValue]) {
        carrier[key] = .text(value)
    }
}
