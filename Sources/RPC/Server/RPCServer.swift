internal import Domain
package import Logging
internal import Metrics
public import ServiceLifecycle
internal import Synchronization
package import Tracing

/// Takes requests from queues, has them done, and answers.
///
/// Guaranteed: at most ``ServedQueue/maxConcurrentRequests`` of a queue are worked on at once; a request whose deadline
/// has passed is not begun; every other one gets exactly one reply from this worker, be it an error; it is acknowledged
/// after its reply has been handed over, so that a worker that dies before leaves it to another. Not guaranteed: that a
/// request is done once: one that is lost with its worker is given to another, and is answered with `internal` when it was
/// lost with three. Methods must bear repetition.
public final class RPCServer: Service {
    private let transport: any ServerTransport
    private let router: RPCRouter
    private let queues: [ServedQueue]
    private let logger: Logger
    private let tracing: CallTracing
    private let drainSeconds: Int
    private let inFlight = Atomic<Int>(0)
    private let inFlightGauge = Meter(label: "millrace_rpc_server_requests_in_flight")
    private let expired = Counter(label: "millrace_rpc_server_expired_requests_total")
    private let answered = Atomic<Int>(0)
    private let isDraining = Atomic<Bool>(false)
    private let outcomes = OutcomeMetrics(
        counter: "millrace_rpc_server_requests_total", timer: "millrace_rpc_server_request_seconds")

    package init(
        transport: any ServerTransport, tracer: (any Tracer)? = nil, router: RPCRouter, queues: [ServedQueue],
        drainSeconds: Int = 10, logger: Logger
    ) {
        self.transport = transport
        tracing = CallTracing(tracer)
        self.router = router
        self.queues = queues
        self.drainSeconds = drainSeconds
        self.logger = logger
    }

    /// Whether requests can come.
    public var isServing: Bool { transport.isServing }

    /// How many requests are being worked on.
    public var requestsInFlight: Int { inFlight.load(ordering: .relaxed) }

    /// How many requests have been answered, with a result or an error.
    public var requestsServed: Int { answered.load(ordering: .relaxed) }

    /// Serves until the task is cancelled or a graceful shutdown begins. Then it takes no more requests, gives back
    /// those that have not been begun, and waits for the others, at most the drain time.
    public func run() async throws {
        let inbox = RequestInbox()
        transport.start(queues) { inbox.put($0) }
        await withTaskGroup { group in
            group.addTask(executorPreference: self.transport.executor) { await self.serve(inbox) }
            group.addTask {
                try? await gracefulShutdown()
                self.isDraining.store(true, ordering: .releasing)
                await self.transport.stop()
                inbox.finish()
                try? await Task.sleep(for: .seconds(self.drainSeconds))
            }
            // Either everything has been served, or the drain time is over.
            await group.next()
            inbox.finish()
            group.cancelAll()
        }
        logger.info("No more requests are taken", metadata: ["requests_served": "\(requestsServed)"])
    }

    private func serve(_ inbox: RequestInbox) async {
        await withDiscardingTaskGroup { group in
            var requests = await inbox.next()
            while !requests.isEmpty {
                for request in requests {
                    if isDraining.load(ordering: .acquiring) {
                        transport.giveBack(request)
                    } else {
                        group.addTask { await self.serve(request) }
                    }
                }
                requests = await inbox.next()
            }
        }
    }

    private func serve(_ request: IncomingRequest) async {
        guard !request.deadline.hasPassed() else {
            expired.increment()
            return transport.drop(request)
        }
        inFlight.add(1, ordering: .relaxed)
        inFlightGauge.increment()
        defer {
            inFlight.subtract(1, ordering: .relaxed)
            inFlightGauge.decrement()
        }
        let start = ContinuousClock.now
        await tracing.serve(request.method, request.payload.fields) { span in
            let result = await result(of: request, span)
            transport.reply(to: request, result)
            answered.add(1, ordering: .relaxed)
            record(request.method, result, start)
        }
    }

    private func result(of request: IncomingRequest, _ span: (any Span)?) async -> Result<RPCPayload, ServiceError> {
        do throws(ServiceError) {
            let handler = try router.handler(for: request.method)
            let known = RPCContext(
                deadline: request.deadline, callID: request.callID, isRedelivered: request.isRedelivered)
            return .success(try await handler(request.payload, known))
        } catch {
            span?.failed(error)
            return .failure(error)
        }
    }

    private func record(
        _ method: String, _ result: Result<RPCPayload, ServiceError>, _ start: ContinuousClock.Instant
    ) {
        let known = router.knows(method) ? method : "unknown"
        var outcome = "ok"
        if case .failure(let error) = result {
            outcome = error.code.rawValue
            let isDefect = error.code == .internal || error.code == .corrupt
            logger.log(
                level: isDefect ? .error : .debug, "A request failed: \(error)", metadata: ["method": "\(known)"])
        } else {
            logger.debug("A request was answered", metadata: ["method": "\(known)"])
        }
        outcomes.record(known, outcome, since: start)
    }
}
