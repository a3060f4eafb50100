import TestKit
import Testing

@testable import AMQP

@Suite struct BackoffTests {
    /// The largest number that a generator can give makes the longest wait.
    private struct Largest: RandomNumberGenerator {
        func next() -> UInt64 { .max }
    }

    private struct Smallest: RandomNumberGenerator {
        func next() -> UInt64 { 0 }
    }

    @Test func theBoundDoublesUpToTheLimit() {
        let backoff = Backoff(first: .milliseconds(100), limit: .seconds(10))
        var largest = Largest()
        let bounds = (0..<9).map { backoff.delay(attempt: $0, using: &largest) }
        let expected: [Double] = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]
        for (bound, expected) in zip(bounds, expected) {
            #expect(abs(bound / .seconds(1) - expected) < 0.001)
        }
    }

    @Test func theWaitMayBeNothing() {
        var smallest = Smallest()
        #expect(Backoff().delay(attempt: 5, using: &smallest) == .zero)
    }

    @Test(arguments: [-1, 0, 63, 64, 10_000, Int.max])
    func noNumberOfAttemptsOverflows(attempt: Int) {
        var largest = Largest()
        #expect(Backoff().delay(attempt: attempt, using: &largest) <= .seconds(10))
    }
}
