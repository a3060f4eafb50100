import Domain
import Testing

@testable import VideoStreaming

/// Who waits for what, without tasks or clocks.
struct FlightTableTests {
    private let now = ContinuousClock.now
    private var later: Deadline { .after(.seconds(5), from: now) }

    @Test func theFirstBeginsAndTheOthersJoin() throws {
        var table = FlightTable<String>()
        let (first, begun) = table.join("a", deadline: later, now: now)
        let (second, joined) = table.join("a", deadline: later, now: now)
        let (_, other) = table.join("b", deadline: later, now: now)
        let flight = try #require(begun)
        #expect(joined == nil && other != nil && other != flight)
        let end = table.end(flight)
        let ending = try #require(end)
        #expect(ending.waiters.sorted() == [first, second].sorted())
        #expect(ending.isCurrent && ending.key == "a" && ending.began == now)
        #expect(table.count == 1 && table.waiterCount == 1)
        #expect(table.end(flight) == nil)
    }

    @Test func afterAnEndTheNextBeginsAnew() throws {
        var table = FlightTable<String>()
        let (_, begun) = table.join("a", deadline: later, now: now)
        _ = table.end(try #require(begun))
        #expect(table.join("a", deadline: later, now: now).begin != nil)
    }

    @Test func theLastToLeaveTakesTheFetchWithThem() throws {
        var table = FlightTable<String>()
        let (first, begun) = table.join("a", deadline: later, now: now)
        let (second, _) = table.join("a", deadline: later, now: now)
        let flight = try #require(begun)
        #expect(table.leave(first) == nil)
        #expect(table.leave(first) == nil)
        #expect(table.leave(second) == flight)
        #expect(table.count == 0 && table.waiterCount == 0)
        // It may come to its end yet; nobody is there.
        #expect(table.end(flight) == nil)
        #expect(table.join("a", deadline: later, now: now).begin != nil)
    }

    @Test func whatIsOutdatedIsJoinedByNobodyAndNotRemembered() throws {
        var table = FlightTable<String>()
        let (waiter, begun) = table.join("a", deadline: later, now: now)
        let old = try #require(begun)
        table.outdate { $0 == "a" }
        let (_, begunAgain) = table.join("a", deadline: later, now: now)
        let new = try #require(begunAgain)
        let end = table.end(old)
        let ending = try #require(end)
        #expect(ending.waiters == [waiter] && !ending.isCurrent)
        // The end of the old one does not touch the new one.
        #expect(table.join("a", deadline: later, now: now).begin == nil)
        #expect(table.end(new)?.isCurrent == true)
    }

    @Test func eachWaitHasItsOwnDeadlineAndTheFetchMaySayWhyItsOwnHasPassed() {
        var table = FlightTable<String>()
        let (begun, _) = table.join("a", deadline: .after(.seconds(3), from: now), now: now)
        let (first, _) = table.join("a", deadline: .after(.seconds(1), from: now), now: now)
        let (second, _) = table.join("a", deadline: .after(.seconds(2), from: now), now: now)
        #expect(table.overdue(now: now).isEmpty)
        #expect(table.overdue(now: now + .seconds(1)) == [first])
        #expect(table.overdue(now: now + .seconds(3)).sorted() == [first, second].sorted())
        let end = now + .seconds(3) + FlightTable<String>.grace
        #expect(table.overdue(now: end).sorted() == [begun, first, second].sorted())
    }
}
