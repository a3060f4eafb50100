import Testing

@testable import AMQP

@Suite struct ConfirmTrackerTests {
    private typealias Tracker = ConfirmTracker<String>

    private func names(_ settled: [(entry: String, outcome: Tracker.Outcome)]) -> [String] {
        settled.map { "\($0.entry) \($0.outcome)" }
    }

    @Test func numbersCountFromOne() {
        var tracker = Tracker()
        #expect(tracker.nextNumber == 1)
        tracker.published("a")
        #expect(tracker.nextNumber == 2)
        tracker.published("b")
        #expect(tracker.unsettledCount == 2)
    }

    @Test func confirmsMayComeInAnyOrder() {
        var tracker = Tracker()
        for name in ["a", "b", "c"] { tracker.published(name) }
        #expect(names(tracker.settled(2, multiple: false, accepted: true)) == ["b accepted"])
        #expect(names(tracker.settled(3, multiple: false, accepted: false)) == ["c rejected"])
        #expect(names(tracker.settled(1, multiple: false, accepted: true)) == ["a accepted"])
        #expect(tracker.unsettledCount == 0)
        #expect(tracker.nextNumber == 4)
    }

    @Test func aMultipleConfirmSettlesAllThatIsOpenUpToItsNumber() {
        var tracker = Tracker()
        for name in ["a", "b", "c", "d"] { tracker.published(name) }
        _ = tracker.settled(2, multiple: false, accepted: true)
        #expect(names(tracker.settled(3, multiple: true, accepted: true)) == ["a accepted", "c accepted"])
        #expect(names(tracker.settled(4, multiple: true, accepted: false)) == ["d rejected"])
    }

    @Test func aReturnedMessageIsUnroutableWhenItIsConfirmed() {
        var tracker = Tracker()
        for name in ["a", "b"] { tracker.published(name) }
        tracker.returned(1)
        #expect(names(tracker.settled(2, multiple: true, accepted: true)) == ["a unroutable", "b accepted"])
    }

    @Test func whatIsNotOpenIsIgnored() {
        var tracker = Tracker()
        tracker.published("a")
        tracker.returned(0)
        tracker.returned(99)
        #expect(tracker.settled(99, multiple: false, accepted: true).isEmpty)
        #expect(tracker.settled(99, multiple: true, accepted: true).isEmpty)
        #expect(names(tracker.settled(1, multiple: false, accepted: true)) == ["a accepted"])
        #expect(tracker.settled(1, multiple: false, accepted: true).isEmpty)
    }

    @Test func aResetGivesUpWhatIsOpenAndCountsAnew() {
        var tracker = Tracker()
        for name in ["a", "b", "c"] { tracker.published(name) }
        _ = tracker.settled(2, multiple: false, accepted: true)
        #expect(tracker.reset() == ["a", "c"])
        #expect(tracker.unsettledCount == 0)
        #expect(tracker.nextNumber == 1)
    }
}
