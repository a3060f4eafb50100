import Domain
import Synchronization
import Testing

@testable import VideoStorage

@Suite(.timeLimit(.minutes(1))) struct LongWorksTests {
    /// A work that goes on until it is told to end.
    private final class Gate: Sendable {
        private let stream: AsyncStream<Never>
        private let signal: AsyncStream<Never>.Continuation
        let begun = Mutex(0)
        let atOnce = Mutex(0)
        let mostAtOnce = Mutex(0)

        init() {
            (stream, signal) = AsyncStream<Never>.makeStream()
        }

        func open() { signal.finish() }

        func work(_ value: Int) async throws(ServiceError) -> Int {
            begun.withLock { $0 += 1 }
            let now = atOnce.withLock { count in
                count += 1
                return count
            }
            mostAtOnce.withLock { $0 = max($0, now) }
            for await _ in stream {}
            atOnce.withLock { $0 -= 1 }
            if Task.isCancelled { throw ServiceError(.deadlineExceeded, "cancelled") }
            return value
        }
    }

    private let works = LongWorks<String, Int>(turns: CallTurns(maxCalls: 2, maxWaiting: 8))

    private func value(
        _ key: String, _ gate: Gate, for time: Duration = .seconds(30), isContinued: Bool = true
    ) async throws(ServiceError) -> Int? {
        try await works.value(of: key, until: .now + time, isContinued: isContinued) { () throws(ServiceError) in
            try await gate.work(7)
        }
    }

    @Test func aWorkThatTakesLongerThanItsCallerGoesOnAndIsJoinedByTheNext() async throws {
        let gate = Gate()
        #expect(try await value("a", gate, for: .milliseconds(20)) == nil)
        #expect(try await value("a", gate, for: .milliseconds(20)) == nil)
        async let last = value("a", gate)
        gate.open()
        #expect(try await last == 7)
        #expect(gate.begun.withLock { $0 } == 1)
    }

    @Test func whatEndedMeanwhileIsToldOnce() async throws {
        let gate = Gate()
        #expect(try await value("a", gate, for: .milliseconds(20)) == nil)
        gate.open()
        #expect(try await value("a", gate) == 7)
        // The next one is another work.
        #expect(try await value("a", gate) == 7)
        #expect(gate.begun.withLock { $0 } == 2)
    }

    @Test func whoDoesNotAskAgainGetsAWorkOfTheirOwn() async throws {
        let gate = Gate()
        #expect(try await value("a", gate, for: .milliseconds(20)) == nil)
        gate.open()
        for _ in 0..<2_000 where works.keptCount == 0 { try await Task.sleep(for: .milliseconds(2)) }
        #expect(try await value("a", gate, isContinued: false) == 7)
        #expect(gate.begun.withLock { $0 } == 2 && works.keptCount == 0)
    }

    @Test func everybodyWhoWaitsIsTold() async throws {
        let gate = Gate()
        let values = try await withThrowingTaskGroup(of: Int?.self) { group in
            for _ in 0..<10 { group.addTask { try await value("a", gate) } }
            gate.open()
            return try await group.reduce(into: [Int?]()) { $0.append($1) }
        }
        #expect(values == Array(repeating: 7, count: 10))
    }

    @Test func aFailureIsToldAsWell() async {
        let works = works
        await #expect(throws: ServiceError(.corrupt, "no")) {
            _ = try await works.value(of: "a", until: .now + .seconds(30), isContinued: false) {
                () throws(ServiceError) in
                throw ServiceError(.corrupt, "no")
            }
        }
    }

    @Test func noMoreThanItsTurnsGoOnAtOnce() async throws {
        let gate = Gate()
        for key in ["a", "b", "c", "d"] { #expect(try await value(key, gate, for: .milliseconds(20)) == nil) }
        gate.open()
        for key in ["a", "b", "c", "d"] { #expect(try await value(key, gate) == 7) }
        #expect(gate.mostAtOnce.withLock { $0 } <= 2)
    }

    @Test func aShutdownEndsEveryWorkAndNoneBeginsAfterIt() async throws {
        let gate = Gate()
        async let cut = value("a", gate)
        for _ in 0..<2_000 where gate.begun.withLock({ $0 }) == 0 { try await Task.sleep(for: .milliseconds(2)) }
        await works.shutdown()
        #expect(gate.atOnce.withLock { $0 } == 0)
        do {
            _ = try await cut
            Issue.record("it was not ended")
        } catch {
            #expect((error as? ServiceError)?.code == .deadlineExceeded)
        }
        await #expect(throws: ServiceError.self) { _ = try await value("b", gate) }
    }
}
