import Domain
import Synchronization
import TestKit
import Testing

@testable import VideoStreaming

/// Many who ask for one thing.
struct SharedFetchesTests {
    private typealias Memory = RecentAnswers<String, Int>
    private let calls = Tally()
    private let cancelled = Tally()
    private let gate = InMemoryGate()

    private func makeFetches(
        lifetime: Duration = .seconds(60), failure: ServiceError? = nil
    ) -> SharedFetches<RecentAnswers<String, Int>> {
        SharedFetches(Memory(lifetime: lifetime, maxCount: 10), executor: nil) {
            [calls, gate, cancelled] (_, deadline) throws(ServiceError) in
            let call = calls.up()
            do throws(ServiceError) {
                try await gate.pass(deadline: deadline)
            } catch {
                if Task.isCancelled { cancelled.up() }
                throw error
            }
            if let failure { throw failure }
            return call
        }
    }

    private func running<Value: Sendable>(
        _ fetches: SharedFetches<RecentAnswers<String, Int>>, _ work: @Sendable @escaping () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await fetches.run() }
            defer { group.cancelAll() }
            return try await work()
        }
    }

    @Test func aThousandWhoAskAtOnceAreAnsweredByOneFetch() async throws {
        let fetches = makeFetches()
        try await withThrowingTaskGroup(of: SharedFetches<Memory>.Sourced.self) { group in
            for _ in 0..<1_000 {
                group.addTask { try await fetches.answer(to: "a", deadline: .after(.seconds(30))) }
            }
            try await until { fetches.underWay.waiters == 1_000 }
            gate.open()
            var sources: [SharedFetches<Memory>.Source: Int] = [:]
            for try await sourced in group {
                #expect(sourced.answer == 1)
                sources[sourced.source, default: 0] += 1
            }
            #expect(sources[.fetched] == 1 && sources[.shared] == 999)
        }
        #expect(calls.count == 1)
        #expect(try await fetches.answer(to: "a", deadline: .after(.seconds(1))).source == .memory)
        #expect(fetches.underWay.fetches == 0)
    }

    @Test func aFetchOutlivesWhoBeganItWhileOthersWait() async throws {
        let fetches = makeFetches()
        let first = Task { try await fetches.answer(to: "a", deadline: .after(.seconds(30))) }
        try await until { fetches.underWay.waiters == 1 }
        let second = Task { try await fetches.answer(to: "a", deadline: .after(.seconds(30))) }
        try await until { fetches.underWay.waiters == 2 }
        first.cancel()
        await #expect(throws: ServiceError.self) { try await first.value }
        #expect(fetches.underWay.waiters == 1)
        gate.open()
        #expect(try await second.value.answer == 1)
        #expect(calls.count == 1 && cancelled.count == 0)
    }

    @Test func aFetchThatNobodyWaitsForIsCancelled() async throws {
        let fetches = makeFetches()
        let waits = (0..<3).map { _ in Task { try await fetches.answer(to: "a", deadline: .after(.seconds(30))) } }
        try await until { fetches.underWay.waiters == 3 }
        for wait in waits { wait.cancel() }
        for wait in waits { await #expect(throws: ServiceError.self) { try await wait.value } }
        try await until { cancelled.count == 1 }
        #expect(fetches.underWay.fetches == 0)
    }

    @Test func aTaskThatIsCancelledAlreadyBeginsNothing() async throws {
        let fetches = makeFetches()
        let wait = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await fetches.answer(to: "a", deadline: .after(.seconds(30)))
        }
        await #expect(throws: ServiceError.self) { try await wait.value }
        #expect(fetches.underWay.fetches == 0)
    }

    @Test func aFailureIsSharedAndNotRemembered() async throws {
        let fetches = makeFetches(failure: ServiceError(.notFound, "not there"))
        let waits = (0..<3).map { _ in Task { try await fetches.answer(to: "a", deadline: .after(.seconds(30))) } }
        try await until { fetches.underWay.waiters == 3 }
        gate.open()
        for wait in waits {
            await #expect(throws: ServiceError(.notFound, "not there")) { try await wait.value }
        }
        #expect(calls.count == 1)
        await #expect(throws: ServiceError.self) { try await fetches.answer(to: "a", deadline: .after(.seconds(1))) }
        #expect(calls.count == 2)
    }

    @Test func aWaitEndsAtItsOwnDeadlineThoughTheFetchGoesOn() async throws {
        let fetches = makeFetches()
        try await running(fetches) { [gate] in
            let patient = Task { try await fetches.answer(to: "a", deadline: .after(.seconds(30))) }
            try await until { fetches.underWay.waiters == 1 }
            let error = await #expect(throws: ServiceError.self) {
                try await fetches.answer(to: "a", deadline: .after(.milliseconds(60)))
            }
            #expect(error?.code == .deadlineExceeded)
            gate.open()
            #expect(try await patient.value.answer == 1)
        }
    }

    @Test func whoHasMoreTimeThanTheFetchThatWasJoinedAsksAgain() async throws {
        let fetches = makeFetches()
        let hasty = Task { try await fetches.answer(to: "a", deadline: .after(.milliseconds(100))) }
        try await until { fetches.underWay.waiters == 1 }
        let patient = Task { try await fetches.answer(to: "a", deadline: .after(.seconds(30))) }
        await #expect(throws: ServiceError.self) { try await hasty.value }
        try await until { calls.count == 2 }
        gate.open()
        #expect(try await patient.value.answer == 2)
    }

    @Test func anAnswerThatWasOutOfDateWhenItCameIsGivenToThoseWhoWaitAndNotRemembered() async throws {
        let fetches = makeFetches()
        let early = Task { try await fetches.answer(to: "a", deadline: .after(.seconds(30))) }
        try await until { fetches.underWay.waiters == 1 }
        fetches.forget("a")
        let late = Task { try await fetches.answer(to: "a", deadline: .after(.seconds(30))) }
        try await until { fetches.underWay.waiters == 2 }
        gate.open()
        #expect(try await early.value.answer == 1)
        #expect(try await late.value.answer == 2)
        #expect(fetches.remembered("a") == 2)
    }

    @Test func whatWasAskedForBeforeSomethingWasForgottenIsNotTakenIn() {
        let fetches = makeFetches()
        let asked = ContinuousClock.now
        fetches.forget("b")
        fetches.keep(7, to: "a", asked: asked)
        #expect(fetches.remembered("a") == nil)
        fetches.keep(8, to: "a", asked: .now)
        #expect(fetches.remembered("a") == 8)
    }

    @Test func aDeadlineIsKeptAfterATimeInWhichNobodyWaited() async throws {
        let fetches = makeFetches()
        try await running(fetches) {
            try await until { fetches.isAtRest }
            async let first = fetches.answer(to: "a", deadline: .after(.seconds(30)))
            try await until { fetches.underWay.waiters == 1 }
            // Joins a fetch that has more time than this one who waits for it.
            let error = await #expect(throws: ServiceError.self) {
                try await fetches.answer(to: "a", deadline: .after(.milliseconds(50)))
            }
            #expect(error?.code == .deadlineExceeded)
            gate.open()
            #expect(try await first.answer == 1)
        }
    }

    @Test func aShutdownEndsWhatIsOnItsWay() async throws {
        let fetches = makeFetches()
        let wait = Task { try await fetches.answer(to: "a", deadline: .after(.seconds(30))) }
        try await until { fetches.underWay.waiters == 1 }
        let run = Task { try await fetches.run() }
        run.cancel()
        try await run.value
        await #expect(throws: ServiceError.self) { try await wait.value }
        #expect(cancelled.count == 1)
        let error = await #expect(throws: ServiceError.self) {
            try await fetches.answer(to: "b", deadline: .after(.seconds(1)))
        }
        #expect(error?.code == .unavailable)
    }
}
