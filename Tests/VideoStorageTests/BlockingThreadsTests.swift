import Domain
import Foundation
import Synchronization
import Testing

@testable import VideoStorage

@Suite(.timeLimit(.minutes(1))) struct BlockingThreadsTests {
    @Test func workBeyondTheLimitIsOverloaded() async throws {
        let threads = BlockingThreads(count: 1, maxPending: 1)
        let gate = DispatchSemaphore(value: 0)
        let (started, start) = AsyncStream<Void>.makeStream()
        async let first: Void = threads.run(deadline: .soon) { _ in
            start.yield()
            gate.wait()
        }
        for await _ in started { break }
        #expect(await code { try await threads.run(deadline: .soon) { _ in } } == .overloaded)
        gate.signal()
        try await first
        #expect(await code { try await threads.run(deadline: .soon) { _ in } } == nil)
        await threads.shutdown()
    }

    @Test func workWhoseDeadlineHasPassedDoesNotStart() async throws {
        let threads = BlockingThreads(count: 1)
        let ran = Atomic<Bool>(false)
        let result = await code {
            try await threads.run(deadline: .after(.zero)) { _ in ran.store(true, ordering: .relaxed) }
        }
        #expect(result == .deadlineExceeded)
        let hasRun = ran.load(ordering: .relaxed)
        #expect(!hasRun)
        await threads.shutdown()
    }

    @Test func cancelledWorkIsToldAndLeavesAtItsNextLook() async throws {
        let threads = BlockingThreads(count: 1)
        let (started, start) = AsyncStream<Void>.makeStream()
        let task = Task {
            await code {
                try await threads.run(deadline: .soon) { mark throws(ServiceError) in
                    start.yield()
                    while true { try mark.check() }
                }
            }
        }
        for await _ in started { break }
        task.cancel()
        #expect(await task.value == .deadlineExceeded)
        await threads.shutdown()
    }

    @Test func workAfterTheShutdownIsUnavailable() async throws {
        let threads = BlockingThreads(count: 1)
        await threads.shutdown()
        #expect(await code { try await threads.run(deadline: .soon) { _ in } } == .unavailable)
    }
}
