internal import Domain
internal import HeapModule

/// The calls that wait for an answer, and what is to be done next for each.
///
/// Pure: it is told what happens and when, and says what to do. Nothing here waits, sends or looks at a clock.
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
        /// It has been sent under this correlation id.
        case sent(correlation: UInt64)
        /// A worker could not do it; it is sent again at this moment.
        case resting(until: Instant)
    }

    private struct Call {
        let request: OutgoingRequest
        var state: State
        var attempts = 0
        /// Whether it has ever left this process.
        var wasSent: Bool { attempts > 0 }
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

    private var calls: [CallID: Call] = [:]
    private var callsByCorrelation: [UInt64: CallID] = [:]
    private var alarms = Heap<Alarm>()
    private var lastCall: UInt64 = 0
    private var lastCorrelation: UInt64 = 0
    private var isReady = false
    private let maxCount: Int

    /// Replies that nobody waited for any more.
    private(set) var lateReplies = 0

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
        calls[id] = Call(request: request, state: .waiting)
        alarms.insert(Alarm(instant: deadline.instant, call: id))
        guard !deadline.hasPassed(at: now) else { return (id, tick(now: now)) }
        return (id, isReady ? [send(id)].compactMap(\.self) : [])
    }

    /// A reply has come.
    mutating func replied(
        _ correlation: UInt64, _ result: Result<RPCPayload, ServiceError>, now: Instant, pause: Duration
    ) -> [Action] {
        guard let id = callsByCorrelation.removeValue(forKey: correlation), let call = calls[id] else {
            lateReplies += 1
            return []
        }
        if case .failure(let error) = result, error.isTransient, call.request.method.isIdempotent,
            call.attempts < Self.maxAttemptsAtWorkers, now + pause < call.request.deadline.instant
        {
            rest(id, until: now + pause)
            return []
        }
        return [finish(id, result)]
    }

    /// A request did not reach a queue.
    mutating func undelivered(_ correlation: UInt64, _ reason: Undelivered, now: Instant) -> [Action] {
        guard let id = callsByCorrelation.removeValue(forKey: correlation), let call = calls[id] else { return [] }
        switch reason {
        case .notSent:
            // Nothing is in doubt, so it is sent again whatever the method. Not at once: the connection that publishes
            // may be away while the one that consumes is there.
            calls[id]?.attempts -= 1
            rest(id, until: now + Self.firstPause)
            return []
        case .connectionLost where call.request.method.isIdempotent:
            rest(id, until: now + Self.firstPause)
            return []
        default:
            return [finish(id, .failure(error(reason, call)))]
        }
    }

    /// There is a connection, and replies will come.
    mutating func ready() -> [Action] {
        isReady = true
        return calls.filter { $0.value.state == .waiting }.map(\.key)
            .sorted { $0.number < $1.number }.compactMap { send($0) }
    }

    /// The replies to everything that was sent are lost.
    mutating func lost(now: Instant) -> [Action] {
        isReady = false
        return callsByCorrelation.keys.sorted().flatMap { undelivered($0, .connectionLost, now: now) }
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
            if call.request.deadline.hasPassed(at: now) {
                actions.append(finish(alarm.call, .failure(lateness(of: call))))
            } else if case .resting(let end) = call.state, end <= now {
                calls[alarm.call]?.state = .waiting
                if isReady, let action = send(alarm.call) { actions.append(action) }
            }
        }
        return actions
    }

    // MARK: Steps

    private mutating func send(_ id: CallID) -> Action? {
        guard var call = calls[id] else { return nil }
        lastCorrelation += 1
        call.attempts += 1
        call.state = .sent(correlation: lastCorrelation)
        calls[id] = call
        callsByCorrelation[lastCorrelation] = id
        var request = call.request
        request.correlation = lastCorrelation
        request.attempt = call.attempts
        return .send(request)
    }

    private mutating func rest(_ id: CallID, until instant: Instant) {
        calls[id]?.state = .resting(until: instant)
        alarms.insert(Alarm(instant: instant, call: id))
    }

    private mutating func finish(_ id: CallID, _ result: Result<RPCPayload, ServiceError>) -> Action {
        remove(id)
        return .finish(id, result)
    }

    private mutating func remove(_ id: CallID) {
        guard let call = calls.removeValue(forKey: id) else { return }
        if case .sent(let correlation) = call.state { callsByCorrelation[correlation] = nil }
        // An alarm of a call that is gone does nothing when it comes; but when most are such, they are dropped.
        guard alarms.count > 2 * calls.count + 64 else { return }
        alarms = Heap(alarms.unordered.filter { calls[$0.call] != nil })
    }

    private func lateness(of call: Call) -> ServiceError {
        let method = call.request.method.name
        guard call.wasSent, isReady else {
            return ServiceError(
                .unavailable, "There is no connection to the broker, so \(method) could not be asked for.")
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
