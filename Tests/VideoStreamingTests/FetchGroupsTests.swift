import Domain
import Testing

@testable import VideoStreaming

/// Which fetches are made together.
struct FetchGroupsTests {
    private typealias Group = FetchGroups<String>.Group

    /// The value, in a place where an expectation may change it.
    private final class Groups {
        private var groups: FetchGroups<String>

        init(_ limits: FetchLimits) { groups = FetchGroups(limits) }

        convenience init(calls: Int, count: Int = 16, bytes: Int = 1_000) {
            self.init(FetchLimits(callsBeforeWaiting: calls, maxCount: count, maxBytes: bytes))
        }

        var callCount: Int { groups.callCount }
        var waitingCount: Int { groups.waitingCount }

        func add(_ flight: UInt64, bytes: Int = 1, deadline: Deadline = .after(.seconds(30))) -> [Group] {
            groups.add(.init(flight: flight, key: "\(flight)", deadline: deadline), bytes: bytes)
        }

        /// - Returns: The flights of the calls that are to be made for each of those that come.
        func add(_ flights: ClosedRange<UInt64>, bytes: Int = 1) -> [[UInt64]] {
            flights.flatMap { add($0, bytes: bytes) }.map { $0.fetches.map(\.flight) }
        }

        func ended(_ group: Group) -> Group? { groups.ended(group) }
        func leave(_ flight: UInt64) -> FetchGroups<String>.GroupID? { groups.leave(flight) }
        func takeAll() -> Group? { groups.takeAll() }
    }

    @Test func aloneNothingWaits() {
        let groups = Groups(.alone)
        #expect(groups.add(1...50, bytes: 7) == (1...50).map { [$0] })
        #expect(groups.callCount == 50 && groups.waitingCount == 0)
    }

    @Test func whatComesWhileEnoughIsUnderWayGoesTogetherWhenACallEnds() throws {
        let groups = Groups(calls: 2)
        let first = try #require(groups.add(1).first)
        #expect(groups.add(2...5) == [[2]])
        #expect(groups.callCount == 2 && groups.waitingCount == 3)
        let next = try #require(groups.ended(first))
        #expect(next.fetches.map(\.flight) == [3, 4, 5] && next.fetches.map(\.key) == ["3", "4", "5"])
        #expect(groups.callCount == 2 && groups.waitingCount == 0)
        #expect(groups.ended(next) == nil)
        #expect(groups.callCount == 1)
        #expect(groups.add(6...6) == [[6]])
    }

    @Test func aFullGroupGoesWithoutWaiting() {
        let groups = Groups(calls: 1, count: 3)
        #expect(groups.add(1...8) == [[1], [2, 3, 4], [5, 6, 7]])
        #expect(groups.waitingCount == 1)
    }

    @Test func bytesFillAGroupToo() {
        let groups = Groups(calls: 1, bytes: 100)
        #expect(groups.add(1...4, bytes: 40) == [[1], [2, 3]])
        // What alone is more than a group may have goes alone.
        #expect(groups.add(5...5, bytes: 500) == [[4]])
        #expect(groups.add(6...6, bytes: 1) == [[5]])
    }

    @Test func whatHasWaitedLongEnoughGoesThoughNoCallHasEnded() throws {
        let groups = Groups(calls: 1)
        #expect(groups.takeAll() == nil)
        let first = try #require(groups.add(1).first)
        _ = groups.add(2...3)
        #expect(groups.takeAll()?.fetches.map(\.flight) == [2, 3])
        #expect(groups.callCount == 2)
        _ = groups.add(4...4)
        // One call is still under way, so this one waits on.
        #expect(groups.ended(first) == nil)
        #expect(groups.waitingCount == 1)
    }

    @Test func whatNobodyWantsIsNotFetchedAndACallThatNobodyWantsIsNamed() throws {
        let groups = Groups(calls: 1)
        let first = try #require(groups.add(1).first)
        _ = groups.add(2...4)
        #expect(groups.leave(3) == nil)
        #expect(groups.leave(1) == first.id)
        let next = try #require(groups.ended(first))
        #expect(next.fetches.map(\.flight) == [2, 4])
        #expect(groups.leave(2) == nil)
        #expect(groups.leave(2) == nil)
        #expect(groups.leave(4) == next.id)
        #expect(groups.ended(next) == nil)
        #expect(groups.callCount == 0 && groups.leave(4) == nil)
    }

    @Test func aCallHasTheTimeOfTheMostPatient() throws {
        let groups = Groups(calls: 1)
        let now = ContinuousClock.now
        let first = try #require(groups.add(1).first)
        for (flight, seconds) in [(2, 3), (3, 9), (4, 6)] {
            _ = groups.add(UInt64(flight), deadline: .after(.seconds(seconds), from: now))
        }
        #expect(try #require(groups.ended(first)).deadline == .after(.seconds(9), from: now))
    }
}
