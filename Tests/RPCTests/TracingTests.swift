import Domain
import InMemoryTracing
import Logging
import NIOCore
import Testing
import Tracing

@testable import RPC

/// Trace context goes from the caller's task to the worker's handler, through the fields of the request.
struct TracingTests {
    private let tracer = InMemoryTracer()
    private let method = RPCMethod("storage.read.v1", queue: "q", isIdempotent: true)

    private func call(_ outcome: Result<RPCPayload, ServiceError>) async -> InMemoryTransport {
        let transport = InMemoryTransport()
        let logger = Logger(label: "test")
        let client = RPCClient(transport: transport, tracer: tracer, logger: logger)
        var router = RPCRouter()
        let tracer = tracer
        router.on(method) { (_, _) throws(ServiceError) in
            tracer.startSpan("the handler's own").end()
            return try outcome.get()
        }
        let server = RPCServer(transport: transport, tracer: tracer, router: router, queues: [], logger: logger)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await client.run() }
            group.addTask { try? await server.run() }
            while !server.isServing { await Task.yield() }
            transport.tell(.ready)
            await tracer.withSpan("a viewer's request") { _ in
                _ = try? await client.call(
                    method, RPCPayload(contentType: "a/b", body: ByteBuffer()), deadline: .after(.seconds(5)))
            }
            group.cancelAll()
        }
        return transport
    }

    private func span(_ name: String, _ kind: SpanKind) throws -> FinishedInMemorySpan {
        try #require(tracer.finishedSpans.first { $0.operationName == name && $0.kind == kind })
    }

    @Test func aCallIsOneTraceFromTheViewerToTheHandler() async throws {
        let transport = await call(.success(RPCPayload(contentType: "a/b", body: ByteBuffer())))
        let root = try span("a viewer's request", .internal)
        let caller = try span(method.name, .client)
        let worker = try span(method.name, .server)
        let handler = try span("the handler's own", .internal)
        #expect(Set([root, caller, worker, handler].map(\.traceID)).count == 1)
        #expect(caller.parentSpanID == root.spanID)
        #expect(worker.parentSpanID == caller.spanID)
        #expect(handler.parentSpanID == worker.spanID)
        #expect(transport.sent.first?.payload.fields[InMemoryTracer.spanIDKey] == .text(caller.spanID))
        #expect(worker.errors.isEmpty && caller.errors.isEmpty)
    }

    @Test func aFailureIsNotedOnBothSides() async throws {
        _ = await call(.failure(ServiceError(.notFound, "There is no such object.")))
        #expect(try span(method.name, .client).errors.count == 1)
        #expect(try span(method.name, .server).errors.count == 1)
        #expect(try span(method.name, .client).status?.code == .error)
    }
}
