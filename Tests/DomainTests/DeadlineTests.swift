import Domain
import Testing

struct DeadlineTests {
    @Test func theTimeLeftIsNeverNegative() {
        let now = ContinuousClock.now
        let deadline = Deadline.after(.seconds(2), from: now)
        #expect(deadline.remaining(at: now) == .seconds(2))
        #expect(deadline.remaining(at: now + .seconds(3)) == .zero)
        #expect(!deadline.hasPassed(at: now + .milliseconds(1_999)))
        #expect(deadline.hasPassed(at: now + .seconds(2)))
    }

    @Test func theEarlierDeadlineIsTheSmaller() {
        let now = ContinuousClock.now
        #expect(Deadline.after(.seconds(1), from: now) < Deadline.after(.seconds(2), from: now))
    }

    @Test(
        arguments: [
            (.zero, 0), (.seconds(-1), 0), (.microseconds(1_999), 1), (.seconds(2), 2_000),
            (Duration(secondsComponent: .max, attosecondsComponent: 0), .max),
        ] as [(Duration, Int64)])
    func millisecondsAreRoundedDownAndSafe(duration: Duration, expected: Int64) {
        #expect(duration.wholeMilliseconds == expected)
    }
}
