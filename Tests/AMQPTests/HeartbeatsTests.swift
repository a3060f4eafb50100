import Testing

@testable import AMQP

@Suite struct HeartbeatsTests {
    private let start = ContinuousClock.now

    @Test func oneIsDueAfterHalfAnIntervalOfSilence() {
        var heartbeats = Heartbeats(agreedSeconds: 10, now: start)
        #expect(!heartbeats.isDue(now: start + .milliseconds(4_999)))
        #expect(heartbeats.isDue(now: start + .seconds(5)))
        heartbeats.sent(now: start + .seconds(5))
        #expect(!heartbeats.isDue(now: start + .seconds(9)))
        #expect(heartbeats.isDue(now: start + .seconds(10)))
    }

    @Test func theOtherEndIsLostAfterTwoIntervalsOfSilence() {
        var heartbeats = Heartbeats(agreedSeconds: 10, now: start)
        #expect(!heartbeats.isLost(now: start + .seconds(20)))
        #expect(heartbeats.isLost(now: start + .milliseconds(20_001)))
        heartbeats.received(now: start + .seconds(15))
        #expect(!heartbeats.isLost(now: start + .seconds(35)))
        #expect(heartbeats.isLost(now: start + .seconds(36)))
    }

    @Test func withoutAnAgreementThereAreNone() {
        let heartbeats = Heartbeats(agreedSeconds: 0, now: start)
        #expect(!heartbeats.isDue(now: start + .seconds(1_000)))
        #expect(!heartbeats.isLost(now: start + .seconds(1_000)))
    }
}
