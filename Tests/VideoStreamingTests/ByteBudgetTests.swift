import Domain
import Synchronization
import Testing

@testable import VideoStreaming

@Suite(.timeLimit(.minutes(1))) struct ByteBudgetTests {
    private let soon = Deadline.after(.seconds(30))

    private func isRefused(_ budget: ByteBudget, _ bytes: Int, _ deadline: Deadline) async -> Bool {
        do throws(ServiceError) {
            _ = try await budget.reserve(bytes, deadline: deadline)
            return false
        } catch {
            return error.code == .overloaded
        }
    }

    @Test func roomIsGivenBackWhenNobodyHoldsIt() async throws {
        let budget = ByteBudget(maxBytes: 100)
        do {
            let room = try await budget.reserve(60, deadline: soon)
            #expect(budget.freeBytes == 40)
            withExtendedLifetime(room) {}
        }
        #expect(budget.freeBytes == 100)
    }

    @Test func whoAsksForMoreThanThereIsGetsAll() async throws {
        let budget = ByteBudget(maxBytes: 100)
        let room = try await budget.reserve(1_000, deadline: soon)
        #expect(budget.freeBytes == 0)
        withExtendedLifetime(room) {}
    }

    @Test func whoWaitsInVainIsRefused() async throws {
        let budget = ByteBudget(maxBytes: 100)
        let room = try await budget.reserve(100, deadline: soon)
        #expect(await isRefused(budget, 1, .after(.milliseconds(20))))
        #expect(await isRefused(budget, 1, .after(.zero)))
        withExtendedLifetime(room) {}
    }

    /// The first who waits is not overtaken by one who asks for less.
    @Test func firstComeFirstServed() async throws {
        let budget = ByteBudget(maxBytes: 100)
        var room: ByteBudget.Reservation? = try await budget.reserve(60, deadline: soon)
        let order = Noted()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for bytes in [80, 30] {
                group.addTask {
                    let mine = try await budget.reserve(bytes, deadline: soon)
                    order.add(bytes)
                    withExtendedLifetime(mine) {}
                }
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(order.all.isEmpty)
            #expect(room != nil)
            room = nil
            try await group.waitForAll()
        }
        #expect(order.all == [80, 30])
        #expect(budget.freeBytes == 100)
    }

    @Test func whoGivesUpMakesRoomForTheNext() async throws {
        let budget = ByteBudget(maxBytes: 100)
        let room = try await budget.reserve(60, deadline: soon)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let large = Task { try await budget.reserve(80, deadline: soon) }
            try await Task.sleep(for: .milliseconds(50))
            group.addTask { _ = try await budget.reserve(30, deadline: soon) }
            try await Task.sleep(for: .milliseconds(50))
            large.cancel()
            try await group.waitForAll()
            _ = await large.result
        }
        withExtendedLifetime(room) {}
    }

    @Test func nothingIsLostInACrowd() async throws {
        let budget = ByteBudget(maxBytes: 100)
        let held = Noted()
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
                group.addTask {
                    let bytes = 1 + number % 50
                    let deadline: Deadline = number.isMultiple(of: 7) ? .after(.milliseconds(1)) : soon
                    guard let room = try? await budget.reserve(bytes, deadline: deadline) else { return }
                    held.add(bytes)
                    try? await Task.sleep(for: .milliseconds(1))
                    held.add(-bytes)
                    withExtendedLifetime(room) {}
                }
            }
        }
        #expect(budget.freeBytes == 100)
        #expect(held.highestSum <= 100 && held.highestSum > 50)
    }
}

/// Numbers in the order in which they came.
private final class Noted: Sendable {
    private let numbers = Mutex<[Int]>([])

    var all: [Int] { numbers.withLock { $0 } }

    /// The most that they ever came to.
    var highestSum: Int {
        var (sum, highest) = (0, 0)
        for number in all {
            sum += number
            highest = max(highest, sum)
        }
        return highest
    }

    func add(_ number: Int) { numbers.withLock { $0.append(number) } }
}
