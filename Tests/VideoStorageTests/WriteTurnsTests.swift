import Domain
import Synchronization
import Testing

@testable import VideoStorage

/// Counts how many threads are in one place at once.
private final class Count: Sendable {
    let most = Mutex(0)
    private let inside = Atomic<Int>(0)

    func pass() {
        let count = inside.add(1, ordering: .sequentiallyConsistent).newValue
        most.withLock { $0 = max($0, count) }
        // Long enough for another to come.
        for _ in 0..<2_000 { _ = inside.load(ordering: .sequentiallyConsistent) }
        inside.subtract(1, ordering: .sequentiallyConsistent)
    }
}

@Suite struct WriteTurnsTests {
    /// Real threads, because that is what waits.
    @Test func oneThreadAtATimeHasTheTurnOfAFile() async throws {
        let threads = BlockingThreads(count: 8)
        let turns = WriteTurns()
        let location = try StorageKey("one.mp4")
        let count = Count()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    try await threads.run(deadline: .after(.seconds(30))) { _ throws(ServiceError) in
                        turns.turn(at: location).take { count.pass() }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(count.most.withLock { $0 } == 1)
        await threads.shutdown()
    }

    @Test func aFileKeepsItsTurnAndOthersHaveTheirOwn() throws {
        let turns = WriteTurns()
        let locations = try (0..<16).map { try StorageKey("\($0).mp4") }
        let found = Set(locations.map { ObjectIdentifier(turns.turn(at: $0)) })
        #expect(Set(locations.map { ObjectIdentifier(turns.turn(at: $0)) }) == found)
        // Sixteen of 64 places, taken at random: fewer than six different ones have a chance below one in a billion.
        #expect(found.count >= 6)
    }

    @Test func theTurnIsGivenBackWhenTheWorkFails() throws {
        let turn = WriteTurns().turn(at: try StorageKey("one.mp4"))
        #expect(throws: CancellationError.self) { try turn.take { throw CancellationError() } }
        var isDone = false
        turn.take { isDone = true }
        #expect(isDone)
    }
}
