import Domain
import Synchronization

/// Works that may take longer than anybody waits for an answer: a message has to be acknowledged within half an hour, or the
/// broker takes it back. Whoever waits for one goes away after a while and asks again; the work goes on meanwhile.
///
/// A work belongs to this process and ends with it, see ``shutdown()``. What it came to is kept for a while for who asks again,
/// unless somebody was waiting when it ended.
final class LongWorks<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    typealias Outcome = Result<Value, ServiceError>

    private struct Work {
        var task: Task<Void, Never>?
        var outcome: Outcome?
        var endedAt = ContinuousClock.now
        /// Those who wait, each with what ends its wait.
        var waiters: [Int: AsyncStream<Never>.Continuation] = [:]
    }

    private struct State {
        var works: [Key: Work] = [:]
        /// What was handed to those who waited.
        var handed: [Int: Outcome] = [:]
        /// Works that have ended and whose outcome nobody has asked for, the oldest first.
        var kept: [Key] = []
        var nextNumber = 0
        var isShutDown = false
    }

    /// Outcomes that are kept. They are small.
    private static var maxKept: Int { 256 }
    /// How long one is kept, in seconds: longer than who asks again waits for the same at another worker.
    private static var keptSeconds: Int { 1_800 }

    private let turns: CallTurns
    private let state = Mutex(State())

    /// Makes it.
    ///
    /// - Parameter turns: How many works may go on at once; others wait their turn.
    init(turns: CallTurns) {
        self.turns = turns
    }

    /// How many outcomes nobody has asked for yet.
    var keptCount: Int { state.withLock { $0.kept.count } }

    /// What a work has come to; begins it unless it goes on already.
    ///
    /// - Parameters:
    ///   - key: Names the work.
    ///   - moment: How long to wait.
    ///   - isContinued: Whether somebody asks again, who may be told what it came to meanwhile. Otherwise what has ended is
    ///     done anew.
    ///   - body: The work.
    /// - Returns: What it has come to; `nil` when it goes on.
    /// - Throws: What the work threw; `unavailable` when the worker is stopping.
    func value(
        of key: Key, until moment: ContinuousClock.Instant, isContinued: Bool,
        _ body: @escaping @Sendable () async throws(ServiceError) -> Value
    ) async throws(ServiceError) -> Value? {
        let (ended, signal) = AsyncStream<Never>.makeStream()
        let number = try join(key, signal, isContinued, body)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in ended {} }
            group.addTask { try? await Task.sleep(until: moment) }
            await group.next()
            group.cancelAll()
        }
        return try leave(key, number)?.get()
    }

    /// Ends all works and waits for their ends. From then on none begins.
    func shutdown() async {
        let tasks = state.withLock { state in
            state.isShutDown = true
            return state.works.values.compactMap(\.task)
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    /// Waits for a work from now on, which is begun if need be.
    private func join(
        _ key: Key, _ signal: AsyncStream<Never>.Continuation, _ isContinued: Bool,
        _ body: @escaping @Sendable () async throws(ServiceError) -> Value
    ) throws(ServiceError) -> Int {
        let number: Int? = state.withLock { state in
            state.nextNumber += 1
            let number = state.nextNumber
            if let work = state.works[key], let outcome = work.outcome {
                state.works[key] = nil
                state.kept.removeAll { $0 == key }
                if isContinued, work.endedAt.duration(to: .now) < .seconds(Self.keptSeconds) {
                    state.handed[number] = outcome
                    signal.finish()
                    return number
                }
            }
            guard !state.isShutDown else { return nil }
            if state.works[key] == nil { state.works[key] = Work(task: Task { await self.perform(key, body) }) }
            state.works[key]?.waiters[number] = signal
            return number
        }
        guard let number else { throw ServiceError(.unavailable, "The storage worker is stopping; try again.") }
        return number
    }

    private func leave(_ key: Key, _ number: Int) -> Outcome? {
        state.withLock { state in
            state.works[key]?.waiters[number] = nil
            return state.handed.removeValue(forKey: number)
        }
    }

    private func perform(_ key: Key, _ body: @Sendable () async throws(ServiceError) -> Value) async {
        let outcome: Outcome
        do throws(ServiceError) {
            // However long: those before it end, since each of their steps has a deadline.
            try await turns.take(deadline: .after(.seconds(86_400)))
            defer { turns.giveBack() }
            outcome = .success(try await body())
        } catch {
            outcome = .failure(error)
        }
        end(key, outcome)
    }

    private func end(_ key: Key, _ outcome: Outcome) {
        let waiters = state.withLock { state in
            let waiters = state.works[key]?.waiters ?? [:]
            for number in waiters.keys { state.handed[number] = outcome }
            guard waiters.isEmpty else {
                state.works[key] = nil
                return waiters
            }
            state.works[key] = Work(outcome: outcome)
            state.kept.append(key)
            if state.kept.count > Self.maxKept { state.works[state.kept.removeFirst()] = nil }
            return waiters
        }
        for waiter in waiters.values { waiter.finish() }
    }
}
