import Domain
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceContextModule
import ServiceKit

/// Answers every request: finds the route, lets its handler reply, and sends the reply with an account of what was sent.
struct GatewayResponder: HTTPResponder {
    /// Answers for bytes.
    let content: ContentHandler
    /// Answers for records.
    let records: RecordHandler
    /// Makes, changes and deletes records.
    let changes: ChangeHandler
    /// Takes bytes in.
    let uploads: UploadHandler
    /// Answers for health.
    let health: HealthHandler
    /// Answers for people.
    let page: PageHandler
    /// Who else may read.
    let crossOrigin: CrossOrigin
    /// The longest target of a request.
    let maxTargetBytes: Int
    /// What is counted.
    let metrics: GatewayMetrics

    /// How long a client that is still sending may go on before its connection is closed: long enough to read the answer
    /// first, since closing with bytes unread would take the answer back (RFC 9112 section 9.6).
    private static let lingerSeconds: Int64 = 2

    @Sendable func respond(to request: Request, context: GatewayContext) async throws -> Response {
        let started = ContinuousClock.now
        var trace = ServiceContext.topLevel
        trace.trace = .of(request.headers)
        return await ServiceContext.withValue(trace) {
            await respond(to: request, context: context, since: started, trace)
        }
    }

    private func respond(
        to request: Request, context: GatewayContext, since started: ContinuousClock.Instant, _ trace: ServiceContext
    ) async -> Response {
        var route = Route(path: request.uri.path)
        if route == .metrics, health.metrics == nil { route = nil }
        var reply = await reply(to: request, route: route, context)
        if route?.isForOtherOrigins ?? false { reply.fields.append(contentsOf: crossOrigin.fields) }
        // A client that has gone takes its calls with it; that is no failure of theirs.
        if let failure = reply.failure, !Task.isCancelled { log(failure, status: reply.status, to: context.logger) }
        let exchange = Exchange(
            request: request.head, route: route?.pattern ?? "unknown", status: reply.status, started: started,
            trace: trace.trace, logger: context.logger, metrics: metrics)
        return response(reply, isHead: request.method == .head, exchange: exchange, context: context, trace)
    }

    private func reply(to request: Request, route: Route?, _ context: GatewayContext) async -> Reply {
        guard request.head.path?.utf8.count ?? 0 <= maxTargetBytes else {
            return Reply(Refusal(.targetTooLong(maxTargetBytes)), to: request, context)
        }
        guard let route else {
            if request.method == .options, request.head.path == "*" { return options(nil, request) }
            return Reply(Refusal(.unknownPath), to: request, context)
        }
        guard route.methods.contains(request.method) else {
            let problem = Problem.methodNotAllowed(request.method, allowed: route.methods)
            return Reply(Refusal(problem), to: request, context)
        }
        switch request.method {
        case .get, .head:
            return await answer(request, route, context)
        case .options:
            return options(route, request)
        default:
            // Hashing what is uploaded takes long for an event loop, and others wait on it.
            return await withTaskExecutorPreference(globalConcurrentExecutor) {
                await change(request, route, context)
            }
        }
    }

    /// What can be done there (RFC 9110 section 9.3.7), and whether a page of another origin may; `nil` for the server as a
    /// whole.
    private func options(_ route: Route?, _ request: Request) -> Reply {
        let methods = route?.methods ?? [.get, .head, .options, .post, .put, .patch, .delete]
        var fields: HTTPFields = [.allow: methods.map(\.rawValue).joined(separator: ", ")]
        if route?.isForOtherOrigins ?? false, request.headers[.accessControlRequestMethod] != nil {
            fields.append(contentsOf: crossOrigin.preflightFields)
        }
        return Reply(status: .noContent, fields: fields, body: .none)
    }

    private func change(_ request: Request, _ route: Route, _ context: GatewayContext) async -> Reply {
        do throws(ServiceError) {
            switch (route, request.method) {
            case (.list, .post):
                return await changes.create(request, context)
            case (.record(let id), .patch):
                return await changes.change(try VideoIDParameter.parse(id), request, context)
            case (.record(let id), .delete):
                return await changes.delete(try VideoIDParameter.parse(id), request, context)
            case (.content(let id?), .put):
                return await uploads.reply(to: request, id: try VideoIDParameter.parse(id), context)
            default:
                return Reply(.defect)
            }
        } catch {
            return Reply(Refusal(error), to: request, context)
        }
    }

    private func answer(_ request: Request, _ route: Route, _ context: GatewayContext) async -> Reply {
        let query = QueryParameters(request.uri.query)
        switch route {
        case .page: return await page.reply(query)
        case .health: return health.live()
        case .readiness: return await health.ready()
        case .metrics: return await health.exposition()
        case .list: return await records.list(query)
        case .record(let text):
            return await reply { () throws(ServiceError) in
                await records.reply(id: try VideoIDParameter.parse(text), fields: request.headers)
            }
        case .content(let text):
            return await reply { () throws(ServiceError) in
                let id = try VideoIDParameter.parse(text, else: query)
                return await content.reply(to: request.method, fields: request.headers, id: id)
            }
        }
    }

    private func reply(_ handler: () async throws(ServiceError) -> Reply) async -> Reply {
        do throws(ServiceError) {
            return try await handler()
        } catch {
            return Reply(error)
        }
    }

    /// What the client did wrong is of little interest here; what went wrong on this side is.
    private func log(_ failure: ServiceError, status: HTTPResponse.Status, to logger: Logger) {
        let level: Logger.Level =
            switch status.code {
            case 500: .error
            case 501...: .warning
            default: .debug
            }
        logger.log(level: level, "request failed", metadata: ["status": "\(status.code)", "error": "\(failure)"])
    }
}

// MARK: - Sending

extension GatewayResponder {
    private func response(
        _ reply: Reply, isHead: Bool, exchange: Exchange, context: GatewayContext, _ trace: ServiceContext
    ) -> Response {
        var fields = reply.fields
        var body = reply.body
        if case .bytes(let buffer) = body {
            fields[.contentLength] = String(buffer.readableBytes)
        }
        if isHead { body = .none }
        // HTTP/2 knows no such field; there only the stream is closed.
        if reply.closesConnection, !context.isStream { fields[.connection] = "close" }
        return Response(
            status: reply.status, headers: fields,
            // No length here: Hummingbird would give a 304 the length 0.
            body: ResponseBody(contentLength: nil) { [body, fields] writer in
                exchange.begin()
                do {
                    // The server asks for the body when the task of the trace is over.
                    try await ServiceContext.withValue(trace) {
                        try await Self.write(body, to: &writer, on: context.channel, exchange: exchange)
                    }
                    try await writer.finish(nil)
                    exchange.end(.complete)
                    if reply.closesConnection {
                        let channel = context.channel
                        channel.eventLoop.scheduleTask(in: .seconds(Self.lingerSeconds)) {
                            channel.close(promise: nil)
                        }
                    }
                } catch {
                    // Throwing closes the connection: the client sees a body that is too short, never a false end.
                    let isAllSent = fields[.contentLength].flatMap { Int64($0) } == exchange.sentBytes
                    exchange.end(Self.outcome(of: error, isAllSent: isAllSent, channel: context.channel))
                    Self.log(error, to: context.logger)
                    throw error
                }
            })
    }

    @concurrent private static func write(
        _ body: Reply.Body, to writer: inout any ResponseBodyWriter, on channel: any Channel, exchange: Exchange
    ) async throws {
        switch body {
        case .none:
            return
        case .bytes(let buffer):
            do {
                try await writer.write(buffer)
            } catch {
                throw StreamFailure.viewer(error)
            }
            exchange.sent(buffer.readableBytes)
        case .stream(let stream):
            // Beside the server's writer, which wakes a task for each piece; head and end go by it, and nothing waits in it.
            try await stream.deliver(to: BodySender(channel: channel, exchange: exchange))
        }
    }

    private static func outcome(of error: any Error, isAllSent: Bool, channel: any Channel) -> Outcome {
        switch error {
        case StreamFailure.source: .cut
        case StreamFailure.viewer: .aborted
        case _ where !channel.isActive: .aborted
        // A process that stops as soon as a client has all of its answer may end the task before the answer is ended.
        default: isAllSent ? .complete : .cut
        }
    }

    private static func log(_ error: any Error, to logger: Logger) {
        guard case StreamFailure.source(let failure) = error else { return }
        logger.warning("response cut", metadata: ["error": "\(failure)"])
    }
}
