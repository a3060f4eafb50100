import Domain
import NIOCore
import Testing

@testable import RPC

/// The clock is a variable: these tests wait for nothing.
@Suite struct PendingCallsTests {
    private let start = ContinuousClock.now
    private let read = RPCMethod("storage.read.v1", queue: "q", isIdempotent: true)
    private let create = RPCMethod("metadata.create.v1", queue: "q", isIdempotent: false)
    private let payload = RPCPayload(contentType: "x/y", body: ByteBuffer(string: "body"))

    private func at(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

    private func begin(
        _ calls: inout PendingCalls, _ method: RPCMethod, deadline: Int = 5_000
    ) throws -> (PendingCalls.CallID, [PendingCalls.Action]) {
        try calls.begin(method, payload, deadline: Deadline(at(deadline)), now: start)
    }

    private func sent(_ actions: [PendingCalls.Action]) -> [OutgoingRequest] {
        actions.compactMap { action in
            guard case .send(let request) = action else { return nil }
            return request
        }
    }

    private func finished(_ actions: [PendingCalls.Action]) -> [(PendingCalls.CallID, Result<RPCPayload, ServiceError>)]
    {
        actions.compactMap { action in
            guard case .finish(let id, let result) = action else { return nil }
            return (id, result)
        }
    }

    private func code(_ actions: [PendingCalls.Action]) -> ServiceError.Code? {
        guard case .failure(let error) = finished(actions).first?.1 else { return nil }
        return error.code
    }

    private func ready() -> PendingCalls {
        var calls = PendingCalls(maxCount: 100)
        _ = calls.ready(now: start)
        return calls
    }

    private func words(_ actions: [PendingCalls.Action]) -> String? {
        guard case .failure(let error) = finished(actions).first?.1 else { return nil }
        return error.message
    }

    @Test func aCallThatCouldNotBeMadeTellsWhatWasInItsWay() throws {
        var calls = PendingCalls(maxCount: 100)
        calls.refused()
        _ = try begin(&calls, read, deadline: 10)
        #expect(words(calls.tick(now: at(10)))?.contains("refuses the queue for replies") == true)
        _ = calls.ready(now: at(20))
        _ = calls.lost(now: at(30))
        _ = try begin(&calls, read, deadline: 40)
        #expect(words(calls.tick(now: at(40)))?.contains("no connection") == true)
    }

    @Test func aCallIsSentAndItsReplyEndsIt() throws {
        var calls = ready()
        let (id, actions) = try begin(&calls, read)
        let request = try #require(sent(actions).first)
        #expect(request.attempt == 1)
        #expect(request.payload == payload)
        let reply = RPCPayload(contentType: "a/b", body: ByteBuffer(string: "reply"))
        let end = finished(calls.replied(request.correlation, .success(reply), now: at(3), pause: .zero))
        #expect(end.count == 1)
        #expect(end.first?.0 == id)
        #expect(try end.first?.1.get() == reply)
        #expect(calls.count == 0)
    }

    @Test func aReplyToAnotherCallDoesNotEndIt() throws {
        var calls = ready()
        let first = try #require(sent(begin(&calls, read).1).first)
        let second = try #require(sent(begin(&calls, read).1).first)
        #expect(first.correlation != second.correlation)
        #expect(finished(calls.replied(second.correlation, .success(payload), now: start, pause: .zero)).count == 1)
        #expect(calls.count == 1)
        #expect(calls.replied(9_999, .success(payload), now: start, pause: .zero).isEmpty)
        #expect(calls.replied(second.correlation, .success(payload), now: start, pause: .zero).isEmpty)
        #expect(calls.tally.lateReplies == 2)
        #expect(calls.count == 1)
    }

    @Test func aServiceDoesNotAnswerForAnother() throws {
        var calls = ready()
        let request = try #require(sent(begin(&calls, read).1).first)
        let spoofed = calls.replied(
            request.correlation, .success(payload), notFor: ["metadata", "storage"], now: start, pause: .zero)
        #expect(spoofed.isEmpty)
        #expect(calls.count == 1 && calls.tally.spoofedReplies == 1 && calls.tally.lateReplies == 0)
        // The true answer still comes; names that only begin alike are not the same service.
        let reply = calls.replied(
            request.correlation, .success(payload), notFor: ["metadata", "stor", "storage.read.v1"], now: start,
            pause: .zero)
        #expect(finished(reply).count == 1)
    }

    @Test func aCallThatIsNotAnsweredEndsAtItsDeadline() throws {
        var calls = ready()
        let request = try #require(sent(begin(&calls, read, deadline: 100).1).first)
        #expect(calls.nextAlarm == at(100))
        #expect(calls.tick(now: at(99)).isEmpty)
        #expect(code(calls.tick(now: at(100))) == .deadlineExceeded)
        #expect(calls.tick(now: at(200)).isEmpty)
        #expect(calls.replied(request.correlation, .success(payload), now: at(201), pause: .zero).isEmpty)
        #expect(calls.count == 0)
    }

    @Test func aCallWhoseDeadlineHasPassedIsNotSent() throws {
        var calls = ready()
        let (_, actions) = try begin(&calls, read, deadline: 0)
        #expect(sent(actions).isEmpty)
        #expect(finished(actions).count == 1)
    }

    @Test func withoutAConnectionACallWaitsForIt() throws {
        var calls = PendingCalls(maxCount: 100)
        #expect(try sent(begin(&calls, read).1).isEmpty)
        #expect(try sent(begin(&calls, create).1).isEmpty)
        #expect(sent(calls.ready(now: start)).map(\.method) == [read, create])
    }

    @Test func withoutAConnectionUntilTheDeadlineItIsUnavailable() throws {
        var calls = PendingCalls(maxCount: 100)
        _ = try begin(&calls, create, deadline: 100)
        #expect(code(calls.tick(now: at(100))) == .unavailable)
    }

    @Test func anIdempotentCallIsSentAgainAfterTheConnectionIsLost() throws {
        var calls = ready()
        let first = try #require(sent(begin(&calls, read).1).first)
        #expect(calls.lost(now: at(10)).isEmpty)
        // Its pause is over before the connection is back.
        #expect(calls.tick(now: at(500)).isEmpty)
        let again = try #require(sent(calls.ready(now: start)).first)
        #expect(again.correlation != first.correlation)
        #expect(again.callID == first.callID)
        #expect(again.attempt == 2)
        // An answer to the first attempt, should it come, is not taken for one to the second.
        #expect(calls.replied(first.correlation, .success(payload), now: at(501), pause: .zero).isEmpty)
        #expect(finished(calls.replied(again.correlation, .success(payload), now: at(502), pause: .zero)).count == 1)
    }

    @Test func aQuickReconnectionStillWaitsForThePause() throws {
        var calls = ready()
        _ = try begin(&calls, read)
        _ = calls.lost(now: at(10))
        #expect(calls.ready(now: start).isEmpty)
        #expect(calls.tick(now: at(59)).isEmpty)
        #expect(sent(calls.tick(now: at(60))).count == 1)
    }

    @Test func anotherCallFailsWhenTheConnectionIsLost() throws {
        var calls = ready()
        _ = try begin(&calls, create)
        #expect(code(calls.lost(now: at(10))) == .unavailable)
        #expect(sent(calls.ready(now: start)).isEmpty)
    }

    @Test(arguments: [
        (Undelivered.noQueue, ServiceError.Code.unavailable), (.queueFull, .overloaded), (.blocked, .overloaded),
        (.refused("403"), .internal),
    ])
    func whatDoesNotReachAQueueFailsAtOnce(reason: Undelivered, expected: ServiceError.Code) throws {
        for method in [read, create] {
            var calls = ready()
            let request = try #require(sent(begin(&calls, method).1).first)
            #expect(code(calls.undelivered(request.correlation, reason, now: at(1))) == expected)
            #expect(calls.count == 0)
        }
    }

    @Test func aPublisherThatIsAwayIsNotAskedInALoop() throws {
        var calls = ready()
        var request = try #require(sent(begin(&calls, read, deadline: 1_000).1).first)
        var attempts = 1
        for millisecond in 1..<1_000 {
            #expect(calls.undelivered(request.correlation, .connectionLost, now: at(millisecond)).isEmpty)
            guard let next = sent(calls.tick(now: at(millisecond))).first else { continue }
            (request, attempts) = (next, attempts + 1)
        }
        #expect((15...21).contains(attempts))
        #expect(code(calls.tick(now: at(1_000))) == .deadlineExceeded)
    }

    @Test func aWorkersNotNowIsAnsweredWithTwoMoreAttempts() throws {
        var calls = ready()
        var request = try #require(sent(begin(&calls, read).1).first)
        let busy = Result<RPCPayload, ServiceError>.failure(ServiceError(.unavailable, "no database"))
        for attempt in 1...2 {
            let now = attempt * 1_000
            #expect(calls.replied(request.correlation, busy, now: at(now), pause: .milliseconds(50)).isEmpty)
            #expect(calls.tick(now: at(now + 49)).isEmpty)
            request = try #require(sent(calls.tick(now: at(now + 50))).first)
            #expect(request.attempt == attempt + 1)
        }
        #expect(
            code(calls.replied(request.correlation, busy, now: at(3_000), pause: .milliseconds(50))) == .unavailable)
    }

    @Test func anAttemptThatWouldComeAfterTheDeadlineIsNotMade() throws {
        var calls = ready()
        let request = try #require(sent(begin(&calls, read, deadline: 100).1).first)
        let busy = Result<RPCPayload, ServiceError>.failure(ServiceError(.overloaded, "full"))
        #expect(code(calls.replied(request.correlation, busy, now: at(60), pause: .milliseconds(50))) == .overloaded)
    }

    @Test func otherErrorsAndOtherMethodsAreNotTriedAgain() throws {
        for (method, error) in [(read, ServiceError.Code.notFound), (read, .conflict), (create, .unavailable)] {
            var calls = ready()
            let request = try #require(sent(begin(&calls, method).1).first)
            let failure = Result<RPCPayload, ServiceError>.failure(ServiceError(error, "x"))
            #expect(code(calls.replied(request.correlation, failure, now: at(1), pause: .zero)) == error)
        }
    }

    @Test func aCancelledCallIsForgotten() throws {
        var calls = ready()
        let (id, actions) = try begin(&calls, read, deadline: 100)
        let request = try #require(sent(actions).first)
        calls.cancel(id)
        #expect(calls.count == 0)
        #expect(calls.replied(request.correlation, .success(payload), now: at(1), pause: .zero).isEmpty)
        #expect(calls.tick(now: at(100)).isEmpty)
    }

    @Test func oneMoreThanTheLimitIsOverloaded() throws {
        var calls = PendingCalls(maxCount: 2)
        _ = try begin(&calls, read)
        _ = try begin(&calls, read)
        let error = #expect(throws: ServiceError.self) { try begin(&calls, read) }
        #expect(error?.code == .overloaded)
    }

    @Test func alarmsOfCallsThatAreOverDoNotPileUp() throws {
        var calls = ready()
        for _ in 0..<10_000 {
            let request = try #require(sent(begin(&calls, read).1).first)
            _ = calls.replied(request.correlation, .success(payload), now: start, pause: .zero)
        }
        #expect(calls.alarmCount <= 64)
    }
}
