import Testing

@testable import RPC

@Suite struct WorkerAbsenceTests {
    private let start = ContinuousClock.now

    @Test func anAbsenceIsLongAfterTenSeconds() {
        var absence = WorkerAbsence()
        absence.saw(0, at: "q", since: start)
        #expect(!absence.isLong(at: "q", now: start + .seconds(9)))
        #expect(absence.isLong(at: "q", now: start + .seconds(10)))
        #expect(!absence.isLong(at: "other", now: start + .seconds(10)))
    }

    @Test func laterLooksDoNotMakeItYounger() {
        var absence = WorkerAbsence()
        absence.saw(0, at: "q", since: start + .seconds(5))
        absence.saw(0, at: "q", since: start)
        absence.saw(0, at: "q", since: start + .seconds(9))
        #expect(absence.isLong(at: "q", now: start + .seconds(10)))
    }

    @Test func aWorkerEndsIt() {
        var absence = WorkerAbsence()
        absence.saw(0, at: "q", since: start)
        absence.saw(1, at: "q", since: start + .seconds(20))
        #expect(!absence.isLong(at: "q", now: start + .seconds(30)))
        absence.saw(0, at: "q", since: start + .seconds(30))
        #expect(!absence.isLong(at: "q", now: start + .seconds(39)))
    }
}
