import Testing

@testable import VideoStreaming

/// With a clock that is a variable.
struct UploadPaceTests {
    private let start = ContinuousClock.now

    private func after(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    private func pace(idle: Double = 30, rate: Int = 1_000) -> UploadPace {
        UploadPace(idleLimit: .seconds(idle), minBytesPerSecond: rate)
    }

    @Test func aClientThatSendsNothingIsIdle() {
        var pace = pace()
        pace.waits(at: start)
        #expect(pace.fault(at: after(19)) == nil)
        #expect(pace.fault(at: after(30)) == .idle)
    }

    @Test func aClientIsJudgedByTheWindow() {
        var pace = pace()
        pace.waits(at: start)
        pace.received(19_999, at: after(1))
        pace.waits(at: after(1))
        #expect(pace.fault(at: after(19.9)) == nil)
        #expect(pace.fault(at: after(20)) == .tooSlow)
    }

    @Test func aClientThatIsJustFastEnoughIsNeverRefused() {
        var pace = pace()
        for second in 0..<200 {
            pace.waits(at: after(Double(second)))
            pace.received(1_000, at: after(Double(second + 1)))
            #expect(pace.fault(at: after(Double(second + 1))) == nil)
        }
    }

    @Test func aQuickStartBuysNoSlowEnd() {
        var pace = pace()
        pace.waits(at: start)
        pace.received(1_000_000_000, at: after(20))
        var refusedAfter: Double?
        for second in 20..<100 where refusedAfter == nil {
            pace.waits(at: after(Double(second)))
            if pace.fault(at: after(Double(second + 1))) == .tooSlow { refusedAfter = Double(second + 1) }
            pace.received(10, at: after(Double(second + 1)))
        }
        #expect(refusedAfter == 40)
    }

    @Test func timeInWhichTheClientWaitsIsNotHeldAgainstIt() {
        var pace = pace()
        pace.waits(at: start)
        pace.received(10, at: after(1))
        // Storage takes its time.
        #expect(pace.fault(at: after(1_000)) == nil)
        pace.waits(at: after(1_000))
        #expect(pace.fault(at: after(1_018)) == nil)
        #expect(pace.fault(at: after(1_019)) == .tooSlow)
    }

    @Test func withoutALeastRateOnlySilenceCounts() {
        var pace = pace(rate: 0)
        for second in 0..<100 {
            pace.waits(at: after(Double(second) * 29))
            pace.received(1, at: after(Double(second + 1) * 29))
            #expect(pace.fault(at: after(Double(second + 1) * 29)) == nil)
        }
    }
}
