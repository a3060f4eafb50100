internal import Domain
internal import HeapModule

/// The calls that wait for an answer, and what is to be done next for each.
///
/// Pure: it is told what happens and when, and says what to do. Nothing here waits, sends or looks at a clock.
///
/// An idempotent call whose answer is unusually late is asked for once more under a new correlation id (a hedge), while the
/// first attempt goes on; whichever answer comes first is taken. So a worker that has stopped and is still connected, which
/// no broker can see, costs a fraction of a second. After each hedge the next waits twice as long, to a bound. How late is too late
/// follows from the recent latencies of the method, and the ``RetryBudget`` keeps hedges and retries a small part of the load.
struct PendingCalls {
    typealias Instant = ContinuousClock.Instant

    /// What to do.
    enum Action {
        case send(OutgoingRequest)
        case finish(CallID, Result<RPCPayload, ServiceError>)
    }

    struct CallID: Hashable {
        let number: UInt64
    }

    private enum State: Equatable {
        /// There is no connection; it is sent when there is one.
        case waiting
        /// It has been sent, and an answer may come.
        case sent
        /// A worker could not do it; it is sent again at this moment.
        case resting(until: Instant)
    }

    /// A class, so that a look at a call copies nothing.
    private final class Call {
        let id: CallID
        let request: OutgoingRequest
        var state = State.waiting
        var attempts = 0
        /// The attempts that may still be answered.
        var correlations: [UInt64] = []
        var hedges = 0
        /// When the answer is so late that it is asked for once more.
        var hedgeAt: Instant?
        /// The next alarm that has been set for it.
        var alarmAt: Instant?
        /// Whether it has ever left this process.
        var wasSent: Bool { attempts > 0 }

        init(_ id: CallID, _ request: OutgoingRequest) {
            self.id = id
            self.request = request
        }
    }

    private struct Attempt {
        let call: Call
        let sentAt: Instant
    }

    private struct Alarm: Comparable {
        let instant: Instant
        let call: CallID

        static func < (left: Alarm, right: Alarm) -> Bool { left.instant < right.instant }
    }

    /// How often a worker's "not now" is answered with another attempt. More would only add to its load.
    static let maxAttemptsAtWorkers = 3
    /// The pause before the second attempt; it doubles.
    static let firstPause = Duration.milliseconds(50)
    /// How often a call is asked for once more because its answer is late. A queue hands requests to its workers in turn: of
    /// eight calls that are under way at once, the first may come to the one of two workers that has stopped with each of
    /// four attempts, since those of the others come between (four calls: three attempts).
    static let maxHedges = 5
    /// The wait before the first hedge: as long as the slowest hundredth of the recent answers, but not more than this, so that a
    /// second attempt is under way well within a second; and not less than the method's ``RPCMethod/leastHedgeDelay``. Nor does
    /// a further hedge wait longer, or twice its method's least: where a queue hands requests to two workers in turn and one of
    /// them has stopped, a call may well meet it three times, and a stream would stand still for seven times the first wait.
    static let maxHedgeDelay = Duration.milliseconds(500)
    /// The wait while too few answers have been seen.
    static let firstHedgeDelay = Duration.milliseconds(300)

    private var calls: [CallID: Call] = [:]
    private var attempts: [UInt64: Attempt] = [:]
    private var latencies: [String: LatencyEstimate] = [:]
    private var budget = RetryBudget()
    private var alarms = Heap<Alarm>()
    private var lastCall: UInt64 = 0
    private var lastCorrelation: UInt64 = 0
    private var isReady = false
    /// Whether it is the broker's refusal, and no outage, that keeps replies from coming.
    private var isRefused = false
    private let maxCount: Int

    /// How often what is unusual has happened.
    struct Tally {
        /// A call was made again because its answer was late, while the attempt before went on.
        var hedges = 0
        /// A call was made again because the attempt before had failed.
        var retries = 0
        /// A reply came that nobody waited for any more; the loser of a hedge is one.
        var lateReplies = 0
        /// A reply came by which one service spoke for another. It changes nothing.
        var spoofedReplies = 0
    }

    private(set) var tally = Tally()

    init(maxCount: Int) {
        self.maxCount = maxCount
    }

    /// How many calls wait.
    var count: Int { calls.count }

    /// How many alarms are kept; bounded by the calls that wait, whatever number has been made.
    var alarmCount: Int { alarms.count }

    /// When ``tick(now:)`` is due next.
    var nextAlarm: Instant? { alarms.min?.instant }

    // MARK: What happens

    /// A call begins.
    mutating func begin(
        _ method: RPCMethod, _ payload: RPCPayload, deadline: Deadline, now: Instant
    ) throws(ServiceError) -> (CallID, [Action]) {
        guard calls.count < maxCount else {
            throw ServiceError(.overloaded, "\(calls.count) calls wait for an answer already; try again later.")
        }
        lastCall += 1
        let id = CallID(number: lastCall)
        let request = OutgoingRequest(
            method: method, payload: payload, correlation: 0, callID: String(lastCall), attempt: 0,
            deadline: deadline)
        let call = Call(id, request)
        calls[id] = call
        guard !deadline.hasPassed(at: now) else { return (id, [finish(call, .failure(lateness(of: call)))]) }
        budget.deposit()
        if isReady { return (id, [send(call, now: now)]) }
        setAlarm(call)
        return (id, [])
    }

    /// A reply has come, from somebody who cannot speak for `strangers`: an answer for one of them is none.
    mutating func replied(
        _ correlation: UInt64, _ result: Result<RPCPayload, ServiceError>, notFor strangers: [String] = [],
        now: Instant,
        pause: Duration
    ) -> [Action] {
        guard let attempt = attempts[correlation] else {
            tally.lateReplies += 1
            return []
        }
        guard !strangers.contains(where: attempt.call.request.method.isOffered) else {
            tally.spoofedReplies += 1
            return []
        }
        attempts[correlation] = nil
        let call = attempt.call
        latencies[call.request.method.name, default: LatencyEstimate()].record(attempt.sentAt.duration(to: now))
        call.correlations.removeAll { $0 == correlation }
        if case .failure(let error) = result, error.isTransient, call.request.method.isIdempotent {
            if !call.correlations.isEmpty { return [] }
            if call.attempts - call.hedges < Self.maxAttemptsAtWorkers, now + pause < call.request.deadline.instant,
                budget.withdraw(now: now)
            {
                rest(call, until: now + pause)
                return []
            }
        }
        return [finish(call, result)]
    }

    /// A request did not reach a queue.
    mutating func undelivered(_ correlation: UInt64, _ reason: Undelivered, now: Instant) -> [Action] {
        guard let call = attempts.removeValue(forKey: correlation)?.call else { return [] }
        call.correlations.removeAll { $0 == correlation }
        // What became of a hedge does not matter while the call itself may be answered, nor the other way round.
        if !call.correlations.isEmpty { return [] }
        switch reason {
        case .notSent:
            // Nothing is in doubt, so it is sent again whatever the method. Not at once: the connection that publishes
            // may be away while the one that consumes is there.
            call.attempts -= 1
            rest(call, until: now + Self.firstPause)
            return []
        case .connectionLost where call.request.method.isIdempotent:
            rest(call, until: now + Self.firstPause)
            return []
        default:
            return [finish(call, .failure(error(reason, call)))]
        }
    }

    /// There is a connection, and replies will come.
    mutating func ready(now: Instant) -> [Action] {
        (isReady, isRefused) = (true, false)
        return calls.values.filter { $0.state == .waiting }.sorted { $0.id.number < $1.id.number }.map {
            send($0, now: now)
        }
    }

    /// The replies to everything that was sent are lost.
    mutating func lost(now: Instant) -> [Action] {
        (isReady, isRefused) = (false, false)
        return attempts.keys.sorted().flatMap { undelivered($0, .connectionLost, now: now) }
    }

    /// The broker refuses what replies need. That may be mended while calls wait.
    mutating func refused() {
        isRefused = true
    }

    /// Nobody waits for a call any more.
    mutating func cancel(_ id: CallID) {
        remove(id)
    }

    /// Time has passed.
    mutating func tick(now: Instant) -> [Action] {
        var actions: [Action] = []
        while let alarm = alarms.min, alarm.instant <= now {
            alarms.removeMin()
            guard let call = calls[alarm.call] else { continue }
            if call.alarmAt == alarm.instant { call.alarmAt = nil }
            if call.request.deadline.hasPassed(at: now) {
                actions.append(finish(call, .failure(lateness(of: call))))
            } else if case .resting(let end) = call.state, end <= now {
                call.state = .waiting
                tally.retries += 1
                if isReady { actions.append(send(call, now: now)) }
            } else if let hedgeAt = call.hedgeAt, hedgeAt <= now, let action = hedge(call, now: now) {
                actions.append(action)
            }
            if calls[alarm.call] != nil { setAlarm(call) }
        }
        return actions
    }

    // MARK: Steps

    private mutating func send(_ call: Call, now: Instant) -> Action {
        lastCorrelation += 1
        call.attempts += 1
        call.state = .sent
        call.correlations.append(lastCorrelation)
        attempts[lastCorrelation] = Attempt(call: call, sentAt: now)
        if call.request.method.isIdempotent, call.hedges < Self.maxHedges {
            call.hedgeAt = now + hedgeDelay(of: call)
        }
        setAlarm(call)
        var request = call.request
        request.correlation = lastCorrelation
        request.attempt = call.attempts
        return .send(request)
    }

    private mutating func hedge(_ call: Call, now: Instant) -> Action? {
        guard isReady, call.state == .sent else { return nil }
        guard budget.withdraw(now: now) else {
            call.hedgeAt = now + hedgeDelay(of: call)
            return nil
        }
        call.hedgeAt = nil
        call.hedges += 1
        tally.hedges += 1
        return send(call, now: now)
    }

    private func hedgeDelay(of call: Call) -> Duration {
        let usual = latencies[call.request.method.name]?.slowestHundredth ?? Self.firstHedgeDelay
        let delay = max(min(usual, Self.maxHedgeDelay), call.request.method.leastHedgeDelay)
        return min(delay * (1 << call.hedges), max(Self.maxHedgeDelay, call.request.method.leastHedgeDelay * 2))
    }

    /// Has the call looked at when its next moment comes. One alarm at a time: most calls are over before the first.
    private mutating func setAlarm(_ call: Call) {
        var next = call.request.deadline.instant
        if let hedgeAt = call.hedgeAt { next = min(next, hedgeAt) }
        if case .resting(let end) = call.state { next = min(next, end) }
        if let alarmAt = call.alarmAt, alarmAt <= next { return }
        call.alarmAt = next
        alarms.insert(Alarm(instant: next, call: call.id))
    }

    private mutating func rest(_ call: Call, until instant: Instant) {
        call.state = .resting(until: instant)
        call.hedgeAt = nil
        setAlarm(call)
    }

    private mutating func finish(_ call: Call, _ result: Result<RPCPayload, ServiceError>) -> Action {
        remove(call.id)
        return .finish(call.id, result)
    }

    private mutating func remove(_ id: CallID) {
        guard let call = calls.removeValue(forKey: id) else { return }
        for correlation in call.correlations { attempts[correlation] = nil }
        // An alarm of a call that is gone does nothing when it comes; but when most are such, they are dropped.
        guard alarms.count > 4 * calls.count + 64 else { return }
        alarms = Heap(alarms.unordered.filter { calls[$0.call] != nil })
    }

    private func lateness(of call: Call) -> ServiceError {
        let method = call.request.method.name
        guard call.wasSent, isReady else {
            let reason =
                isRefused
                ? "The broker refuses the queue for replies (the log says why)" : "There is no connection to the broker"
            return ServiceError(.unavailable, "\(reason), so \(method) could not be asked for.")
        }
        return ServiceError(.deadlineExceeded, "\(method) was not answered in time.")
    }

    private func error(_ reason: Undelivered, _ call: Call) -> ServiceError {
        let method = call.request.method
        return switch reason {
        case .noQueue:
            ServiceError(
                .unavailable, "No worker offers \(method.name): there is no queue \(method.queue). Start a worker.")
        case .queueFull:
            ServiceError(.overloaded, "The queue \(method.queue) is full. Try again later, or start more workers.")
        case .blocked:
            ServiceError(.overloaded, "The broker takes no messages now. Try again later.")
        case .refused(let words):
            ServiceError(.internal, "The broker refuses \(method.name): \(words)")
        case .notSent:
            ServiceError(.unavailable, "There is no connection to the broker, so \(method.name) was not asked for.")
        case .connectionLost:
            ServiceError(
                .unavailable, "The connection to the broker broke; whether \(method.name) was done is not known.")
        }
    }
}
