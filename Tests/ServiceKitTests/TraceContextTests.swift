import ServiceContextModule
import Testing
import Tracing

@testable import ServiceKit

/// Trace context as W3C has it: what is read, and what is passed on.
struct TraceContextTests {
    private static let trace = "0af7651916cd43dd8448eb211c80319c"
    private static let span = "b7ad6b7169203331"

    @Test func aTraceIsReadAndGoesOnInASpanOfItsOwn() throws {
        let read = try #require(
            TraceContext(traceparent: "00-\(Self.trace)-\(Self.span)-01", tracestate: "vendor=1,other=2"))
        #expect(read.traceID == Self.trace)
        #expect(read.spanID == Self.span)
        #expect(read.traceparent == "00-\(Self.trace)-\(Self.span)-01")
        let child = read.child()
        #expect(child.traceID == Self.trace)
        #expect(child.spanID != Self.span && child.spanID.count == 16)
        #expect(child.traceparent == "00-\(Self.trace)-\(child.spanID)-01")
        #expect(child.tracestate == "vendor=1,other=2")
    }

    @Test func ofALaterVersionTheKnownPartsAreTaken() throws {
        let read = try #require(
            TraceContext(traceparent: "cc-\(Self.trace)-\(Self.span)-03-what-comes-later", tracestate: nil))
        #expect(read.traceparent == "00-\(Self.trace)-\(Self.span)-01")
        #expect(TraceContext(traceparent: "cc-\(Self.trace)-\(Self.span)-00", tracestate: nil) != nil)
    }

    @Test(arguments: [
        "", "00", "00-\(trace)-\(span)", "00-\(trace)-\(span)-0", "00-\(trace)-\(span)-01-", "00-\(trace)-\(span)-01x",
        "ff-\(trace)-\(span)-01", "cc-\(trace)-\(span)-01x", "0g-\(trace)-\(span)-01",
        "00-\(trace.uppercased())-\(span)-01", "00-00000000000000000000000000000000-\(span)-01",
        "00-\(trace)-0000000000000000-01", "00_\(trace)-\(span)-01", "00-\(trace)-\(span)-zz",
        "00-\(trace)-\(span)-01,00-\(trace)-\(span)-01", "é0-\(trace)-\(span)-01",
    ])
    func whatIsMalformedIsNoTrace(_ text: String) {
        #expect(TraceContext(traceparent: text, tracestate: nil) == nil)
    }

    @Test func aStateThatIsTooLongOrNoTextIsLeftAway() throws {
        let parent = "00-\(Self.trace)-\(Self.span)-00"
        let long = String(repeating: "a", count: 512)
        #expect(TraceContext(traceparent: parent, tracestate: long)?.tracestate == long)
        for state in ["", long + "a", "a=\n", "a=é"] {
            let read = try #require(TraceContext(traceparent: parent, tracestate: state))
            #expect(read.tracestate == nil)
        }
    }

    @Test func newTracesAreAllDifferentAndNotSampled() {
        let traces = (0..<10_000).map { _ in TraceContext.new() }
        #expect(Set(traces.map(\.traceID)).count == 10_000)
        #expect(Set(traces.map(\.spanID)).count == 10_000)
        #expect(traces.allSatisfy { $0.traceparent.hasSuffix("-00") && $0.traceID.count == 32 })
    }

    @Test func theTracerCarriesATraceThroughFields() throws {
        let tracer = TraceTracer()
        var context = ServiceContext.topLevel
        let fields = ["traceparent": "00-\(Self.trace)-\(Self.span)-01", "tracestate": "a=1", "other": "x"]
        tracer.extract(fields, into: &context, using: Fields())
        let span = tracer.startSpan("work", context: context, ofKind: .server)
        var carried: [String: String] = [:]
        tracer.inject(span.context, into: &carried, using: Fields())
        let trace = try #require(span.context.trace)
        #expect(carried == ["traceparent": "00-\(Self.trace)-\(trace.spanID)-01", "tracestate": "a=1"])
        #expect(trace.spanID != Self.span)
    }

    @Test func withoutATraceASpanBeginsOneAndNothingIsWrittenWithoutASpan() {
        let tracer = TraceTracer()
        var context = ServiceContext.topLevel
        tracer.extract(["traceparent": "nonsense"], into: &context, using: Fields())
        #expect(context.trace == nil)
        var carried: [String: String] = [:]
        tracer.inject(context, into: &carried, using: Fields())
        #expect(carried.isEmpty)
        #expect(tracer.startSpan("work", context: context).context.trace != nil)
    }

    private struct Fields: Extractor, Injector {
        func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
        func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }
    }
}
