public import Domain
package import Logging
internal import Metrics
public import ServiceLifecycle
internal import Synchronization
package import Tracing

/// Calls workers through a broker, over one exclusive reply queue.
///
/// A thin shell around ``PendingCalls``: it holds the lock, carries out the actions and resumes those who wait.
/// ``run()`` must run, or no deadline passes.
public final class RPCClient: RPCCalling, Service {
    /// Unchecked, since each call pays for a check. It is resumed once: whoever does so has taken it out of `waiters`.
    private typealias Waiter = UnsafeContinuation<Result<RPCPayload, ServiceError>, Never>

    private struct State {
        var pending: PendingCalls
        var waiters: [PendingCalls.CallID: Waiter] = [:]
        var absence = WorkerAbsence()
        var isClosed = false
    }

    /// How exactly deadlines are kept. One wake-up in 25 ms costs nothing that can be measured.
    private static let tick = Duration.milliseconds(25)
    /// How long a look at a queue may take.
    private static let longestLook = Duration.seconds(1)
    /// At 256 KiB a chunk these would be 2.5 GiB of replies: more than any gateway holds.
    public static let maxPendingCalls = 10_000

    private let transport: any ClientTransport
    private let state = Mutex(State(pending: PendingCalls(maxCount: RPCClient.maxPendingCalls)))
    private let logger: Logger
    private let tracing: CallTracing
    private let outcomes = OutcomeMetrics(
        counter: "millrace_rpc_client_calls_total", timer: "millrace_rpc_client_call_seconds")

    package init(transport: any ClientTransport, tracer: (any Tracer)? = nil, logger: Logger) {
        self.transport = transport
        tracing = CallTracing(tracer)
        self.logger = logger
        transport.start { [weak self] event in self?.handle(event) }
    }

    /// Where tasks that do little but call are best run (``AMQP/AMQPClient/executor``); `nil` for Swift's own pool.
    public var executor: (any TaskExecutor)? { transport.executor }

    /// Keeps deadlines until the task is cancelled or a graceful shutdown begins; then the calls that still wait fail.
    public func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.keepTime() }
            group.addTask { await self.report() }
            try? await gracefulShutdown()
            group.cancelAll()
        }
        close()
    }

    private func keepTime() async {
        while !Task.isCancelled {
            perform { $0.tick(now: .now) }
            try? await Task.sleep(for: Self.tick)
        }
    }

    private func report() async {
        let inFlight = Gauge(label: "millrace_rpc_client_calls_in_flight")
        let hedges = Counter(label: "millrace_rpc_client_hedges_total")
        let retries = Counter(label: "millrace_rpc_client_retries_total")
        let late = Counter(label: "millrace_rpc_client_late_replies_total")
        let spoofed = Counter(label: "millrace_rpc_client_spoofed_replies_total")
        var last = PendingCalls.Tally()
        while !Task.isCancelled {
            let (count, now) = state.withLock { ($0.pending.count, $0.pending.tally) }
            inFlight.record(count)
            hedges.increment(by: now.hedges - last.hedges)
            retries.increment(by: now.retries - last.retries)
            late.increment(by: now.lateReplies - last.lateReplies)
            spoofed.increment(by: now.spoofedReplies - last.spoofedReplies)
            last = now
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// See ``RPCCalling/call(_:_:deadline:)``.
    public func call(
        _ method: RPCMethod, _ payload: RPCPayload, deadline: Deadline
    ) async throws(ServiceError) -> RPCPayload {
        let start = ContinuousClock.now
        var payload = payload
        let span = tracing.begin(method.name, &payload.fields)
        defer { span?.end() }
        do throws(ServiceError) {
            try await refuseIfNobodyIsThere(method)
            let reply = try await wait(for: method, payload, deadline)
            outcomes.record(method.name, "ok", since: start)
            return reply
        } catch {
            let better = await explain(error, method, start)
            span?.failed(better)
            outcomes.record(method.name, better.code.rawValue, since: start)
            throw better
        }
    }

    /// How many workers take from a queue; `nil` when that cannot be found out within a second.
    public func workerCount(of queue: String) async -> Int? {
        await workerCount(of: queue, since: .now)
    }

    private func workerCount(of queue: String, since instant: ContinuousClock.Instant) async -> Int? {
        let count = await look(at: queue)
        if let count { state.withLock { $0.absence.saw(count, at: queue, since: instant) } }
        return count
    }

    /// A broker that does not answer must not hold up a caller who is owed an error.
    private func look(at queue: String) async -> Int? {
        await withTaskGroup { group in
            group.addTask { await self.transport.workerCount(of: queue) }
            group.addTask {
                try? await Task.sleep(for: Self.longestLook)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }

    /// Where nobody has been for long, a call does not wait for its deadline; but one look makes sure.
    private func refuseIfNobodyIsThere(_ method: RPCMethod) async throws(ServiceError) {
        let isLong = state.withLock { $0.absence.isLong(at: method.queue, now: .now) }
        if isLong, await workerCount(of: method.queue) == 0 { throw .nobody(offers: method) }
    }

    private func wait(
        for method: RPCMethod, _ payload: RPCPayload, _ deadline: Deadline
    ) async throws(ServiceError) -> RPCPayload {
        let identity = CallIdentity()
        let result: Result<RPCPayload, ServiceError> = await withTaskCancellationHandler {
            await withUnsafeContinuation { (waiter: Waiter) in
                begin(method, payload, deadline, identity, waiter)
            }
        } onCancel: {
            cancel(identity)
        }
        return try result.get()
    }

    private func begin(
        _ method: RPCMethod, _ payload: RPCPayload, _ deadline: Deadline, _ identity: CallIdentity, _ waiter: Waiter
    ) {
        let begun = state.withLock { state -> Result<[PendingCalls.Action], ServiceError> in
            guard !state.isClosed else {
                return .failure(ServiceError(.unavailable, "This process is shutting down."))
            }
            do throws(ServiceError) {
                let (id, actions) = try state.pending.begin(method, payload, deadline: deadline, now: .now)
                // A call that was cancelled before it began is not begun.
                guard identity.assign(id) else {
                    state.pending.cancel(id)
                    return .failure(.cancelled)
                }
                state.waiters[id] = waiter
                return .success(actions)
            } catch {
                return .failure(error)
            }
        }
        switch begun {
        case .success(let actions): carryOut(actions)
        case .failure(let error): waiter.resume(returning: .failure(error))
        }
    }

    private func cancel(_ identity: CallIdentity) {
        guard let id = identity.cancel() else { return }
        let waiter = state.withLock { state in
            state.pending.cancel(id)
            return state.waiters.removeValue(forKey: id)
        }
        waiter?.resume(returning: .failure(.cancelled))
    }

    private func handle(_ event: ClientTransportEvent) {
        switch event {
        case .ready: perform { $0.ready(now: .now) }
        case .lost: perform { $0.lost(now: .now) }
        case .refused: state.withLock { $0.pending.refused() }
        case .undelivered(let correlation, let reason): perform { $0.undelivered(correlation, reason, now: .now) }
        case .reply(let correlation, let result, let strangers):
            perform {
                $0.replied(correlation, result, notFor: strangers, now: .now, pause: Self.pause(after: result))
            }
        }
    }

    /// The jitter keeps callers that were refused together from coming back together. A good answer needs none, and is
    /// spared the system call that a random number costs.
    private static func pause(after result: Result<RPCPayload, ServiceError>) -> Duration {
        guard case .failure = result else { return .zero }
        return PendingCalls.firstPause * Double.random(in: 1...3)
    }

    private func perform(_ step: (inout PendingCalls) -> [PendingCalls.Action]) {
        carryOut(state.withLock { step(&$0.pending) })
    }

    private func carryOut(_ actions: [PendingCalls.Action]) {
        for action in actions {
            switch action {
            case .send(let request):
                transport.send(request)
            case .finish(let id, let result):
                state.withLock { $0.waiters.removeValue(forKey: id) }?.resume(returning: result)
            }
        }
    }

    private func close() {
        let waiters = state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [:] }
            for id in state.waiters.keys { state.pending.cancel(id) }
            return state.waiters.values.map(\.self)
        }
        let error = ServiceError(.unavailable, "This process is shutting down.")
        for waiter in waiters { waiter.resume(returning: .failure(error)) }
    }

    /// An answer that did not come in time is told apart by whether anybody was there to give it.
    private func explain(
        _ error: ServiceError, _ method: RPCMethod, _ start: ContinuousClock.Instant
    ) async -> ServiceError {
        guard error.code == .deadlineExceeded, await workerCount(of: method.queue, since: start) == 0 else {
            return error
        }
        return .nobody(offers: method)
    }
}

extension ServiceError {
    /// The caller's task was cancelled.
    static let cancelled = ServiceError(.unavailable, "The call was cancelled.")

    static func nobody(offers method: RPCMethod) -> ServiceError {
        ServiceError(
            .unavailable,
            "No worker offers \(method.name): nobody takes from the queue \(method.queue). Start a worker.")
    }
}

/// Joins a call with its cancellation, which may come before the call has an id.
private final class CallIdentity: Sendable {
    private enum State {
        case new
        case known(PendingCalls.CallID)
        case cancelled
    }

    private let state = Mutex(State.new)

    /// - Returns: Whether the call may begin.
    func assign(_ id: PendingCalls.CallID) -> Bool {
        state.withLock { state in
            guard case .new = state else { return false }
            state = .known(id)
            return true
        }
    }

    /// - Returns: The call to cancel, if it has begun.
    func cancel() -> PendingCalls.CallID? {
        state.withLock { state in
            defer { state = .cancelled }
            guard case .known(let id) = state else { return nil }
            return id
        }
    }
}
