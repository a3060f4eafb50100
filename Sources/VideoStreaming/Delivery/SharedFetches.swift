import Domain
import ServiceContextModule
import ServiceLifecycle
import Synchronization

/// Fetches answers, each once however many ask for it at the same time, and remembers them as its ``AnswerMemory`` does. Answers
/// that cost less together are fetched by one call, as ``FetchGroups`` has it.
///
/// Guaranteed: a fetch goes on as long as somebody waits for it, whoever began it, and is cancelled when nobody does. A wait
/// ends by its own deadline (to a tick, 25 ms where nothing else is said), by the cancellation of its task, or by the answer,
/// whichever comes first; all who wait are resumed by the answer. A failure is given to those who wait, and is never remembered.
///
/// Not guaranteed: that an answer is fetched only once over time; that is up to the memory.
///
/// ``run()`` must run, or no deadline passes for those who joined a fetch that has a later one.
final class SharedFetches<Memory: AnswerMemory>: Service {
    typealias Key = Memory.Key
    typealias Answer = Memory.Answer
    typealias Fetch = @Sendable (Key, Deadline) async throws(ServiceError) -> Answer
    /// Fetches several answers by the latest of their deadlines, and says what came of each, in their order.
    typealias FetchTogether = @Sendable ([Key], Deadline) async -> [Result<Answer, ServiceError>]

    /// Where an answer came from.
    enum Source: Sendable {
        case memory
        /// Fetched for this one who asked.
        case fetched
        /// Fetched for another one, and waited for together.
        case shared
    }

    /// An answer, and where it came from.
    struct Sourced: Sendable {
        var answer: Answer
        var source: Source
    }

    /// Who is given an answer.
    private enum Waiter {
        case one(UnsafeContinuation<Result<Answer, ServiceError>, Never>)
        /// Who waits for several, and the place of this one among them.
        case several(AnswersInOrder<Answer>, Int)

        func resume(returning result: Result<Answer, ServiceError>) {
            switch self {
            case .one(let continuation): continuation.resume(returning: result)
            case .several(let answers, let place): answers.put(result, at: place)
            }
        }
    }

    /// What has come of asking.
    private enum Entry {
        case answered(Result<Answer, ServiceError>)
        /// Another one's fetch is waited for.
        case joined
        case begun(FetchGroups<Key>.Fetch)
    }

    private struct State {
        var memory: Memory
        var table = FlightTable<Key>()
        var groups: FetchGroups<Key>
        var waiters: [FlightTable<Key>.WaiterID: Waiter] = [:]
        var tasks: [FetchGroups<Key>.GroupID: Task<Void, Never>] = [:]
        /// Who keeps the time, while there is none to keep.
        var restingKeeper: UnsafeContinuation<Void, Never>?
        var lastForgotten: ContinuousClock.Instant?
        var isClosed = false
    }

    /// How exactly deadlines are kept, while somebody waits.
    private let tick: Duration
    private let executor: (any TaskExecutor)?
    private let byteCount: @Sendable (Key) -> Int
    private let fetch: FetchTogether
    private let state: Mutex<State>

    /// Makes the fetches.
    ///
    /// - Parameters:
    ///   - memory: What is remembered.
    ///   - executor: Where fetches are best run; `nil` for Swift's own pool.
    ///   - fetch: Fetches one answer by a deadline.
    convenience init(_ memory: Memory, executor: (any TaskExecutor)?, fetch: @escaping Fetch) {
        self.init(
            memory, executor: executor, together: .alone, byteCount: { _ in 0 }, tick: .milliseconds(25),
            fetch: { (keys, deadline) in
                var results: [Result<Answer, ServiceError>] = []
                for key in keys {
                    do throws(ServiceError) {
                        results.append(.success(try await fetch(key, deadline)))
                    } catch {
                        results.append(.failure(error))
                    }
                }
                return results
            })
    }

    /// Makes fetches that are made together where there are many.
    ///
    /// - Parameters:
    ///   - memory: What is remembered.
    ///   - executor: Where fetches are best run; `nil` for Swift's own pool.
    ///   - limits: When fetches wait for each other, and how many are made together.
    ///   - byteCount: How large an answer is.
    ///   - tick: How exactly deadlines are kept, and how long a fetch waits for others at the most.
    ///   - fetch: Fetches the answers.
    init(
        _ memory: Memory, executor: (any TaskExecutor)?, together limits: FetchLimits,
        byteCount: @escaping @Sendable (Key) -> Int, tick: Duration, fetch: @escaping FetchTogether
    ) {
        self.executor = executor
        self.byteCount = byteCount
        self.tick = tick
        self.fetch = fetch
        state = Mutex(State(memory: memory, groups: FetchGroups(limits)))
    }

    /// Keeps deadlines until the task is cancelled or a graceful shutdown begins; then ends what is on its way.
    func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.keepTime() }
            try? await gracefulShutdown()
            group.cancelAll()
        }
        let tasks = state.withLock { state in
            state.isClosed = true
            // Their calls are cancelled before they begin.
            if let group = state.groups.takeAll() { begin(group, &state) }
            return state.tasks.values.map(\.self)
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    /// Looks into what is remembered.
    func inspect<Value>(_ look: (Memory) -> Value) -> Value {
        state.withLock { look($0.memory) }
    }

    /// How many fetches are on their way, and how many wait for them.
    var underWay: (fetches: Int, waiters: Int) {
        state.withLock { ($0.table.count, $0.table.waiterCount) }
    }

    /// Whether nobody waits, and so nobody keeps the time.
    var isAtRest: Bool { state.withLock { $0.restingKeeper != nil } }

    /// The answer, if it is remembered.
    func remembered(_ key: Key) -> Answer? {
        state.withLock { $0.memory.answer(to: key, now: .now) }
    }

    /// Takes an answer in that came another way, unless something was forgotten since it was asked for: it may be that.
    func keep(_ answer: Answer, to key: Key, asked: ContinuousClock.Instant) {
        state.withLock { state in
            if let last = state.lastForgotten, last >= asked { return }
            state.memory.keep(answer, to: key, asked: asked)
        }
    }

    /// Forgets an answer, and does not take the one in that is on its way.
    func forget(_ key: Key) {
        state.withLock { state in
            state.lastForgotten = .now
            state.memory.forget(key)
            state.table.outdate { $0 == key }
        }
    }

    /// What is on its way goes to those who wait for it, and to nobody else.
    func outdate(_ isOutdated: (Key) -> Bool) {
        state.withLock { $0.table.outdate(isOutdated) }
    }

    /// The answer: remembered, fetched for another one, or fetched.
    ///
    /// - Throws: What the fetch throws; `deadlineExceeded` at the deadline; `unavailable` when the task is cancelled.
    func answer(to key: Key, deadline: Deadline) async throws(ServiceError) -> Sourced {
        while true {
            if let answer = remembered(key) { return Sourced(answer: answer, source: .memory) }
            let ticket = Ticket()
            let result: Result<Answer, ServiceError> = await withTaskCancellationHandler {
                await withUnsafeContinuation { enter(key, deadline, ticket, .one($0)) }
            } onCancel: {
                leave(ticket)
            }
            switch result {
            case .success(let answer):
                return Sourced(answer: answer, source: ticket.hasBegun ? .fetched : .shared)
            case .failure(let error):
                // Whoever began the fetch may have had less time.
                guard error.code == .deadlineExceeded, !ticket.hasBegun, !deadline.hasPassed(), !Task.isCancelled
                else { throw error }
            }
        }
    }

    /// The answers to several, in their order; those that nobody has asked for yet are fetched by one call.
    ///
    /// - Returns: What came of each. Unlike ``answer(to:deadline:)``, it does not ask again where another one's fetch had less time.
    func answers(to keys: [Key], deadline: Deadline) async -> [Result<Sourced, ServiceError>] {
        let tickets = keys.map { _ in Ticket() }
        let answers = AnswersInOrder<Answer>(count: keys.count)
        let results = await withTaskCancellationHandler {
            await answers.wait { enter(keys, deadline, tickets, answers) }
        } onCancel: {
            for ticket in tickets { leave(ticket) }
        }
        return zip(results, tickets).map { result, ticket in
            result.map {
                Sourced(answer: $0, source: ticket.hasBegun ? .fetched : ticket.hasEntered ? .shared : .memory)
            }
        }
    }

    private func enter(_ key: Key, _ deadline: Deadline, _ ticket: Ticket, _ waiter: Waiter) {
        var keeper: UnsafeContinuation<Void, Never>?
        let entry = state.withLock { state in
            let entry = enter(key, deadline, ticket, waiter, &state)
            if case .begun(let fetch) = entry {
                for group in state.groups.add(fetch, bytes: byteCount(key)) { begin(group, &state) }
            }
            if state.table.waiterCount > 0 { keeper = state.restingKeeper.take() }
            return entry
        }
        keeper?.resume()
        if case .answered(let result) = entry { waiter.resume(returning: result) }
    }

    private func enter(
        _ keys: [Key], _ deadline: Deadline, _ tickets: [Ticket], _ answers: AnswersInOrder<Answer>
    ) {
        var keeper: UnsafeContinuation<Void, Never>?
        let entries = state.withLock { state in
            var begun: [FetchGroups<Key>.Fetch] = []
            var entries: [Entry] = []
            for (place, (key, ticket)) in zip(keys, tickets).enumerated() {
                let entry = enter(key, deadline, ticket, .several(answers, place), &state)
                if case .begun(let fetch) = entry { begun.append(fetch) }
                entries.append(entry)
            }
            if !begun.isEmpty { begin(state.groups.add(together: begun), &state) }
            if state.table.waiterCount > 0 { keeper = state.restingKeeper.take() }
            return entries
        }
        keeper?.resume()
        for (place, entry) in entries.enumerated() {
            if case .answered(let result) = entry { answers.put(result, at: place) }
        }
    }

    /// Takes one in who waits, unless the answer is there.
    private func enter(
        _ key: Key, _ deadline: Deadline, _ ticket: Ticket, _ waiter: Waiter, _ state: inout State
    ) -> Entry {
        guard !state.isClosed else {
            return .answered(.failure(ServiceError(.unavailable, "This process is shutting down.")))
        }
        // It may have come since it was looked for; a second fetch would be one too many.
        if let answer = state.memory.answer(to: key, now: .now) { return .answered(.success(answer)) }
        let (id, flight) = state.table.join(key, deadline: deadline, now: .now)
        guard ticket.assign(id, hasBegun: flight != nil) else {
            // What was just begun is not in a group yet.
            _ = state.table.leave(id)
            return .answered(.failure(.leftBehind))
        }
        state.waiters[id] = waiter
        guard let flight else { return .joined }
        return .begun(FetchGroups.Fetch(flight: flight, key: key, deadline: deadline))
    }

    /// Begins a call in a task of its own, so that it outlives who asked first. It is in ``State/tasks`` until it has ended: it
    /// is cancelled when nobody waits for it, and awaited by ``run()``.
    private func begin(_ group: FetchGroups<Key>.Group, _ state: inout State) {
        state.tasks[group.id] = Task(executorPreference: executor) {
            let results = await self.fetch(group.fetches.map(\.key), group.deadline)
            self.end(group, with: results)
        }
    }

    private func end(_ group: FetchGroups<Key>.Group, with results: [Result<Answer, ServiceError>]) {
        let answered: [(Waiter, Result<Answer, ServiceError>)] = state.withLock { state in
            state.tasks[group.id] = nil
            if let next = state.groups.ended(group) {
                // It is not of this call's trace, which is the one that a task begun here would have.
                ServiceContext.$current.withValue(nil) { begin(next, &state) }
            }
            return zip(group.fetches, results).flatMap { fetch, result in
                end(fetch.flight, with: result, &state).map { ($0, result) }
            }
        }
        for (waiter, result) in answered { waiter.resume(returning: result) }
    }

    /// - Returns: Who waited for it.
    private func end(
        _ flight: FlightTable<Key>.FlightID, with result: Result<Answer, ServiceError>, _ state: inout State
    ) -> [Waiter] {
        guard let ending = state.table.end(flight) else { return [] }
        if case .success(let answer) = result, ending.isCurrent {
            state.memory.keep(answer, to: ending.key, asked: ending.began)
        }
        return ending.waiters.compactMap { state.waiters.removeValue(forKey: $0) }
    }

    private func leave(_ ticket: Ticket) {
        guard let id = ticket.cancel() else { return }
        dismiss(id, with: .leftBehind)
    }

    private func dismiss(_ id: FlightTable<Key>.WaiterID, with error: ServiceError) {
        let waiter = state.withLock { state in
            if let flight = state.table.leave(id), let group = state.groups.leave(flight) {
                state.tasks[group]?.cancel()
            }
            return state.waiters.removeValue(forKey: id)
        }
        waiter?.resume(returning: .failure(error))
    }

    private func keepTime() async {
        while !Task.isCancelled {
            await rest()
            let overdue: [FlightTable<Key>.WaiterID] = state.withLock { state in
                if let group = state.groups.takeAll() { begin(group, &state) }
                return state.table.waiterCount == 0 ? [] : state.table.overdue(now: .now)
            }
            for id in overdue { dismiss(id, with: ServiceError(.deadlineExceeded, "No answer came in time.")) }
            try? await Task.sleep(for: tick)
        }
    }

    /// Waits as long as nobody waits: a process with nothing to do is not woken 40 times a second.
    private func rest() async {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { keeper in
                let mayRest = state.withLock { state in
                    guard state.table.waiterCount == 0, !Task.isCancelled else { return false }
                    state.restingKeeper = keeper
                    return true
                }
                if !mayRest { keeper.resume() }
            }
        } onCancel: {
            wakeKeeper()
        }
    }

    private func wakeKeeper() {
        state.withLock { $0.restingKeeper.take() }?.resume()
    }
}

extension ServiceError {
    fileprivate static let leftBehind = ServiceError(.unavailable, "The call was cancelled.")
}

/// Joins a wait with its cancellation, which may come before the wait has begun.
private final class Ticket: Sendable {
    private struct State {
        var id: UInt64?
        var hasBegun = false
        var isCancelled = false
    }

    private let state = Mutex(State())

    /// Whether the fetch was begun for this wait.
    var hasBegun: Bool { state.withLock { $0.hasBegun } }
    /// Whether it has waited at all.
    var hasEntered: Bool { state.withLock { $0.id != nil } }

    /// - Returns: Whether the wait may begin.
    func assign(_ id: UInt64, hasBegun: Bool) -> Bool {
        state.withLock { state in
            guard !state.isCancelled else { return false }
            state.id = id
            state.hasBegun = hasBegun
            return true
        }
    }

    /// - Returns: The waiter to take out, if it waits.
    func cancel() -> UInt64? {
        state.withLock { state in
            state.isCancelled = true
            return state.id
        }
    }
}
