import Domain
import ServiceContextModule
import Synchronization
import TestKit
import Testing

@testable import VideoStreaming

/// Answers that are fetched by one call where there are many.
struct FetchesTogetherTests {
    private typealias Fetches = SharedFetches<NoMemory<Int, Int>>
    private let calls = Calls()
    private let gate = InMemoryGate()

    /// Whose call it is.
    private enum Caller: ServiceContextKey {
        typealias Value = String
    }

    /// Which keys each call was for, and whose it was.
    private final class Calls: Sendable {
        private let keys = Mutex<[[Int]]>([])
        private let names = Mutex<[String?]>([])
        private let cancelled = Mutex(0)

        var all: [[Int]] { keys.withLock { $0 } }
        var cancelledCount: Int { cancelled.withLock { $0 } }

        var callers: [String?] { names.withLock { $0 } }

        func add(_ call: [Int]) {
            names.withLock { $0.append(ServiceContext.current?[Caller.self]) }
            keys.withLock { $0.append(call) }
        }
        func cancel() { cancelled.withLock { $0 += 1 } }
    }

    /// Ten times the key; a failure for those below 0.
    private func makeFetches(calls limit: Int, tick: Duration = .seconds(60)) -> Fetches {
        Fetches(
            NoMemory(), executor: nil,
            together: FetchLimits(callsBeforeWaiting: limit, maxCount: 100, maxBytes: .max),
            byteCount: { _ in 1 }, tick: tick,
            fetch: { [calls, gate] (keys, deadline) in
                calls.add(keys)
                do throws(ServiceError) {
                    try await gate.pass(deadline: deadline)
                } catch {
                    if Task.isCancelled { calls.cancel() }
                    return keys.map { _ in .failure(error) }
                }
                return keys.map { $0 < 0 ? .failure(ServiceError(.notFound, "\($0)")) : .success($0 * 10) }
            })
    }

    /// Begins one after the other, so that their order is known.
    private func ask(_ fetches: Fetches, _ keys: [Int]) async throws -> [Task<Int, any Error>] {
        var asks: [Task<Int, any Error>] = []
        for key in keys {
            let waiters = fetches.underWay.waiters
            asks.append(Task { try await fetches.answer(to: key, deadline: .after(.seconds(30))).answer })
            try await until { fetches.underWay.waiters == waiters + 1 }
        }
        return asks
    }

    @Test func eachGetsItsOwnAnswerOrFailure() async throws {
        let fetches = makeFetches(calls: 1)
        let asks = try await ask(fetches, [1, 2, -3, 4])
        try await until { calls.all == [[1]] }
        gate.open()
        #expect(try await asks[0].value == 10)
        #expect(try await asks[1].value == 20)
        await #expect(throws: ServiceError(.notFound, "-3")) { try await asks[2].value }
        #expect(try await asks[3].value == 40)
        #expect(calls.all == [[1], [2, -3, 4]])
        #expect(fetches.underWay == (0, 0))
    }

    @Test func whoWaitsForOthersIsJoinedLikeAnyFetch() async throws {
        let fetches = makeFetches(calls: 1)
        let asks = try await ask(fetches, [1, 2, 2])
        gate.open()
        for (ask, answer) in zip(asks, [10, 20, 20]) { #expect(try await ask.value == answer) }
        #expect(calls.all == [[1], [2]])
    }

    @Test func nobodyWaitsForOthersLongerThanATick() async throws {
        let fetches = makeFetches(calls: 1, tick: .milliseconds(5))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await fetches.run() }
            defer { group.cancelAll() }
            let asks = try await ask(fetches, [1, 2])
            // The first call has not ended.
            try await until { calls.all.count == 2 }
            #expect(calls.all == [[1], [2]])
            gate.open()
            #expect(try await asks[1].value == 20)
            #expect(try await asks[0].value == 10)
        }
    }

    @Test func aCallForThoseWhoWaitedIsNotOfTheTraceOfTheOneBefore() async throws {
        let fetches = makeFetches(calls: 1)
        var context = ServiceContext.topLevel
        context[Caller.self] = "first"
        let first = try await ServiceContext.withValue(context) { try await ask(fetches, [1]) }
        let second = try await ask(fetches, [2])
        gate.open()
        for ask in first + second { _ = try await ask.value }
        #expect(calls.all == [[1], [2]] && calls.callers == ["first", nil])
    }

    @Test func whoLeavesBeforeItsCallIsNotFetched() async throws {
        let fetches = makeFetches(calls: 1)
        let asks = try await ask(fetches, [1, 2, 3])
        asks[1].cancel()
        await #expect(throws: ServiceError.self) { try await asks[1].value }
        gate.open()
        #expect(try await asks[2].value == 30)
        #expect(calls.all == [[1], [3]])
    }

    @Test func aCallGoesOnUntilNobodyWaitsForAnyOfIt() async throws {
        let fetches = makeFetches(calls: 1, tick: .milliseconds(5))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await fetches.run() }
            defer { group.cancelAll() }
            let first = try await ask(fetches, [1])
            let asks = try await ask(fetches, [2])
            try await until { calls.all.count == 2 }
            first[0].cancel()
            await #expect(throws: ServiceError.self) { try await first[0].value }
            try await until { calls.cancelledCount == 1 }
            #expect(fetches.underWay == (1, 1))
            asks[0].cancel()
            await #expect(throws: ServiceError.self) { try await asks[0].value }
            try await until { calls.cancelledCount == 2 }
        }
    }

    @Test func aShutdownEndsWhatWaitsForOthersToo() async throws {
        let fetches = makeFetches(calls: 1)
        let asks = try await ask(fetches, [1, 2])
        let run = Task { try await fetches.run() }
        run.cancel()
        try await run.value
        for ask in asks { await #expect(throws: ServiceError.self) { try await ask.value } }
        #expect(fetches.underWay == (0, 0))
    }

    // MARK: - Asked for together

    @Test func whatIsAskedForTogetherIsFetchedByOneCallButForWhatIsOnItsWay() async throws {
        let fetches = makeFetches(calls: .max)
        let other = try await ask(fetches, [2])
        try await until { calls.all == [[2]] }
        async let results = fetches.answers(to: [1, 2, -3], deadline: .after(.seconds(30)))
        try await until { fetches.underWay == (3, 4) }
        gate.open()
        let answered = await results
        #expect(try answered[0].get().answer == 10)
        #expect(try answered[1].get().answer == 20)
        #expect(throws: ServiceError(.notFound, "-3")) { try answered[2].get() }
        #expect(try answered[0].get().source == .fetched)
        #expect(try answered[1].get().source == .shared)
        #expect(try await other[0].value == 20)
        #expect(calls.all == [[2], [1, -3]])
        #expect(fetches.underWay == (0, 0))
    }

    @Test func whatIsAskedForTogetherIsJoinedByOthersAndGoesOnForThem() async throws {
        let fetches = makeFetches(calls: .max)
        let first = Task { await fetches.answers(to: [1, 2], deadline: .after(.seconds(30))) }
        try await until { calls.all == [[1, 2]] }
        let other = try await ask(fetches, [2])
        first.cancel()
        for result in await first.value {
            guard case .failure(let error) = result else {
                Issue.record("Who had gone was given \(result).")
                continue
            }
            #expect(error.code == .unavailable)
        }
        #expect(calls.cancelledCount == 0)
        gate.open()
        #expect(try await other[0].value == 20)
        #expect(calls.all == [[1, 2]])
    }

    @Test func aCallThatNobodyWaitsForAnyMoreIsCancelled() async throws {
        let fetches = makeFetches(calls: .max)
        let asked = Task { await fetches.answers(to: [1, 2], deadline: .after(.seconds(30))) }
        try await until { calls.all == [[1, 2]] }
        asked.cancel()
        try await until { calls.cancelledCount == 1 }
        #expect(fetches.underWay == (0, 0))
        #expect(await asked.value.count == 2)
    }
}
