import Domain
import NIOCore
import TestKit
import Testing

@testable import RPC

/// When a late answer is asked for once more, and when not. The clock is a variable.
@Suite struct HedgingTests {
    private let start = ContinuousClock.now
    private let read = RPCMethod("storage.read.v1", queue: "q", isIdempotent: true)
    private let create = RPCMethod("metadata.create.v1", queue: "q", isIdempotent: false)
    private let payload = RPCPayload(contentType: "x/y", body: ByteBuffer(string: "body"))
    private let busy = Result<RPCPayload, ServiceError>.failure(ServiceError(.unavailable, "no database"))

    private func at(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

    private func ready() -> PendingCalls {
        var calls = PendingCalls(maxCount: 10_000)
        _ = calls.ready(now: start)
        return calls
    }

    private func sent(_ actions: [PendingCalls.Action]) -> [OutgoingRequest] {
        actions.compactMap { action in
            guard case .send(let request) = action else { return nil }
            return request
        }
    }

    private func begin(
        _ calls: inout PendingCalls, _ method: RPCMethod, at now: Int = 0, deadline: Int = 5_000
    ) throws -> OutgoingRequest {
        try #require(sent(calls.begin(method, payload, deadline: Deadline(at(deadline)), now: at(now)).1).first)
    }

    private func reply(
        _ calls: inout PendingCalls, to request: OutgoingRequest, at now: Int,
        _ result: Result<RPCPayload, ServiceError>? = nil
    ) -> [PendingCalls.Action] {
        calls.replied(request.correlation, result ?? .success(payload), now: at(now), pause: .milliseconds(50))
    }

    /// Calls that are answered after so many milliseconds, so that the client knows what is usual.
    private func makeUsual(_ latency: Int, in calls: inout PendingCalls, count: Int = 200) throws {
        for _ in 0..<count {
            let request = try begin(&calls, read)
            _ = reply(&calls, to: request, at: latency)
        }
    }

    @Test func aLateAnswerIsAskedForOnceMoreAndTheFirstAnswerIsTaken() throws {
        for winner in 0...1 {
            var calls = ready()
            let first = try begin(&calls, read)
            #expect(calls.tick(now: at(299)).isEmpty)
            let second = try #require(sent(calls.tick(now: at(300))).first)
            #expect(second.correlation != first.correlation)
            #expect(second.callID == first.callID)
            #expect(second.attempt == 2)
            #expect(calls.tally.hedges == 1)
            let (early, late) = winner == 0 ? (first, second) : (second, first)
            #expect(reply(&calls, to: early, at: 310).count == 1)
            #expect(calls.count == 0)
            #expect(reply(&calls, to: late, at: 320).isEmpty)
            #expect(calls.tally.lateReplies == 1)
        }
    }

    @Test(arguments: [(1, 50, 60), (120, 120, 150), (400, 400, 500), (3_000, 500, 500)])
    func whatIsLateFollowsFromWhatIsUsual(latency: Int, earliest: Int, latest: Int) throws {
        var calls = ready()
        try makeUsual(latency, in: &calls)
        _ = try begin(&calls, read)
        #expect(calls.tick(now: at(earliest - 1)).isEmpty)
        #expect(sent(calls.tick(now: at(latest))).count == 1)
    }

    @Test func whatMovesManyBytesIsNotLateAsSoonAsTheUsual() throws {
        let commit = RPCMethod("storage.commit.v1", queue: "q", isIdempotent: true, leastHedgeDelay: .seconds(10))
        var calls = ready()
        for _ in 0..<200 {
            let request = try begin(&calls, commit)
            _ = reply(&calls, to: request, at: 100)
        }
        _ = try begin(&calls, commit, deadline: 60_000)
        #expect(calls.tick(now: at(9_999)).isEmpty)
        #expect(sent(calls.tick(now: at(10_000))).count == 1)
        // Each further one waits twice as long, and no longer.
        for moment in [30_000, 50_000] {
            #expect(calls.tick(now: at(moment - 1)).isEmpty)
            #expect(sent(calls.tick(now: at(moment))).count == 1)
        }
    }

    @Test(arguments: [
        (1, [50, 150, 350, 750, 1_250]), (300, [300, 800, 1_300, 1_800, 2_300]),
        (3_000, [500, 1_000, 1_500, 2_000, 2_500]),
    ])
    func eachFurtherAttemptWaitsTwiceAsLongToABoundAndThereAreFive(latency: Int, expected: [Int]) throws {
        var calls = ready()
        // Of 300 ms nothing is said: it is what is waited while little is known.
        if latency != 300 { try makeUsual(latency, in: &calls) }
        _ = try begin(&calls, read, deadline: 30_000)
        var moments: [Int] = []
        for now in stride(from: 0, to: 30_000, by: 10) where !sent(calls.tick(now: at(now))).isEmpty {
            moments.append(now)
        }
        #expect(moments == expected)
    }

    /// A queue hands requests to two workers in turn, and one of them has stopped: which call meets it, and how often, follows
    /// from the others that are under way.
    @Test(arguments: 1...8, [0, 1])
    func aStreamThatReadsInOrderWaitsLessThanTwoSecondsForAWorkerThatHasStopped(window: Int, turn: Int) throws {
        var calls = ready()
        var turns = turn
        var (next, taken, pause, longest) = (0, 0, 0, 0)
        var parts: [UInt64: Int] = [:]
        var done: Set<Int> = []
        func hand(_ requests: [OutgoingRequest]) -> [OutgoingRequest] {
            requests.filter { _ in
                turns += 1
                return turns.isMultiple(of: 2)
            }
        }
        for now in stride(from: 0, to: 20_000, by: 25) {
            var answered = hand(sent(calls.tick(now: at(now))))
            while taken < 40 {
                while next < taken + window, next < 40 {
                    let (id, actions) = try calls.begin(
                        read, payload, deadline: Deadline(at(now + 5_000)), now: at(now))
                    parts[id.number] = next
                    next += 1
                    answered += hand(sent(actions))
                }
                for request in answered {
                    _ = reply(&calls, to: request, at: now)
                    if let number = UInt64(request.callID), let part = parts[number] { done.insert(part) }
                }
                answered = []
                guard done.contains(taken) else { break }
                taken += 1
                longest = max(longest, now - pause)
                pause = now
            }
            if taken == 40 { break }
        }
        #expect(taken == 40)
        #expect(longest < 2_000, "a stream with \(window) calls under way stood still for \(longest) ms")
    }

    @Test func whatTheBudgetRefusedIsAskedForWhenItAllowsIt() throws {
        var calls = ready()
        let all = Set(try (0..<30).map { _ in try begin(&calls, read).callID })
        // More than what is saved allows.
        let early = sent(calls.tick(now: at(300)))
        for request in early { _ = reply(&calls, to: request, at: 310) }
        let refused = all.subtracting(early.map(\.callID))
        #expect(!refused.isEmpty)
        var late: Set<String> = []
        for now in stride(from: 320, to: 5_000, by: 10) { late.formUnion(sent(calls.tick(now: at(now))).map(\.callID)) }
        #expect(late == refused)
    }

    @Test func aMethodThatMayNotBeRepeatedIsNot() throws {
        var calls = ready()
        _ = try begin(&calls, create)
        #expect(calls.tick(now: at(4_999)).isEmpty)
    }

    @Test func nothingIsAskedForOnceMoreAfterTheDeadlineOrWithoutAConnection() throws {
        var calls = ready()
        _ = try begin(&calls, read, deadline: 200)
        #expect(sent(calls.tick(now: at(300))).isEmpty)
        _ = try begin(&calls, read)
        _ = calls.lost(now: at(10))
        #expect(sent(calls.tick(now: at(1_000))).isEmpty)
    }

    @Test func hedgesStaySmallHoweverManyAnswersAreLate() throws {
        var calls = ready()
        var hedges = 0
        for now in 0..<10_000 {
            // A thousand calls in ten seconds, and none is answered in time.
            if now.isMultiple(of: 10) { _ = try begin(&calls, read, at: now, deadline: now + 3_000) }
            hedges += sent(calls.tick(now: at(now))).count
        }
        // A tenth of the calls, the flow of ten seconds, and what was saved.
        #expect(hedges <= 100 + 50 + 20)
        #expect(hedges >= 100)
        #expect(calls.tally.hedges == hedges)
    }

    @Test func theFailureOfOneAttemptDoesNotMatterWhileAnotherIsUnderWay() throws {
        var calls = ready()
        let first = try begin(&calls, read)
        let second = try #require(sent(calls.tick(now: at(300))).first)
        #expect(reply(&calls, to: second, at: 310, busy).isEmpty)
        #expect(calls.undelivered(second.correlation, .queueFull, now: at(311)).isEmpty)
        #expect(reply(&calls, to: first, at: 320).count == 1)

        let third = try begin(&calls, read)
        let fourth = try #require(sent(calls.tick(now: at(300))).first)
        #expect(calls.undelivered(fourth.correlation, .queueFull, now: at(301)).isEmpty)
        #expect(calls.undelivered(third.correlation, .queueFull, now: at(302)).count == 1)
        #expect(calls.count == 0)
    }

    @Test func anErrorThatWillStayEndsTheCallAtOnce() throws {
        var calls = ready()
        _ = try begin(&calls, read)
        let second = try #require(sent(calls.tick(now: at(300))).first)
        #expect(reply(&calls, to: second, at: 310, .failure(ServiceError(.notFound, "gone"))).count == 1)
        #expect(calls.count == 0)
    }

    @Test func aLostConnectionLeavesOneAttemptOfTwo() throws {
        var calls = ready()
        _ = try begin(&calls, read)
        _ = calls.tick(now: at(300))
        #expect(calls.lost(now: at(310)).isEmpty)
        _ = calls.ready(now: at(320))
        let again = sent(calls.tick(now: at(400)))
        #expect(again.count == 1)
        #expect(again.first?.attempt == 3)
    }
}

@Suite struct LatencyEstimateTests {
    @Test func aFewAnswersSayNothing() {
        var estimate = LatencyEstimate()
        for _ in 0..<31 { estimate.record(.milliseconds(5)) }
        #expect(estimate.slowestHundredth == nil)
        estimate.record(.milliseconds(5))
        #expect(estimate.slowestHundredth != nil)
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func theQuantileIsNearTheTrueOne(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var estimate = LatencyEstimate()
        let latencies = (0..<1_000).map { _ in
            Int.random(in: 100...(1 << Int.random(in: 8...22, using: &random)), using: &random)
        }
        for latency in latencies { estimate.record(.microseconds(latency)) }
        let found = try #require(estimate.slowestHundredth).inSeconds * 1e6
        let exact = Double(latencies.sorted()[989])
        #expect(found >= exact * 0.99)
        #expect(found <= exact * 1.3)
    }

    @Test func whatWasLongAgoIsForgotten() throws {
        var estimate = LatencyEstimate()
        for _ in 0..<2_000 { estimate.record(.seconds(2)) }
        for _ in 0..<20_000 { estimate.record(.milliseconds(1)) }
        #expect(try #require(estimate.slowestHundredth) < .milliseconds(2))
    }

    @Test(arguments: [
        Duration.zero, .nanoseconds(1), .microseconds(3), .microseconds(4), .seconds(3_600), .seconds(1 << 40),
    ])
    func everyLatencyHasABucket(latency: Duration) {
        var estimate = LatencyEstimate()
        for _ in 0..<100 { estimate.record(latency) }
        #expect(estimate.slowestHundredth != nil)
    }
}

@Suite struct RetryBudgetTests {
    @Test func whatIsSavedIsBoundedAndRunsOut() {
        let start = ContinuousClock.now
        var budget = RetryBudget()
        for _ in 0..<10_000 { budget.deposit() }
        var allowed = 0
        while budget.withdraw(now: start), allowed < 1_000 { allowed += 1 }
        #expect(allowed == 50)
        // The flow alone: one in a fifth of a second.
        let answers = [0, 199, 201, 202].map { budget.withdraw(now: start + .milliseconds($0)) }
        #expect(answers == [false, false, true, false])
        for _ in 0..<10 { budget.deposit() }
        // The share of ten calls; and a clock that seems to go back gives nothing away.
        let later = [203, 0].map { budget.withdraw(now: start + .milliseconds($0)) }
        #expect(later == [true, false])
    }
}
