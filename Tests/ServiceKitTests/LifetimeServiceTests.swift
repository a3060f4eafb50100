import ServiceKit
import ServiceLifecycle
import Synchronization
import Testing

struct LifetimeServiceTests {
    private final class Events: Sendable {
        private let recorded = Mutex<[String]>([])

        var all: [String] { recorded.withLock { $0 } }

        func add(_ event: String) {
            recorded.withLock { $0.append(event) }
        }
    }

    /// Uses the resource until it is stopped, and a little longer.
    private struct User: Service {
        let events: Events
        let started: AsyncStream<Void>.Continuation

        func run() async throws {
            events.add("user started")
            started.finish()
            try await gracefulShutdown()
            try await Task.sleep(for: .milliseconds(50))
            events.add("user stopped")
        }
    }

    @Test func theResourceEndsAfterTheServicesThatStandOnIt() async throws {
        let events = Events()
        let (started, sink) = AsyncStream<Void>.makeStream()
        let group = ServiceGroup(
            services: [LifetimeService { events.add("resource ended") }, User(events: events, started: sink)],
            logger: RecordedLog().logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            for await _ in started {}
            #expect(events.all == ["user started"])
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
        #expect(events.all == ["user started", "user stopped", "resource ended"])
    }

    @Test func theResourceEndsWhenTheTaskIsCancelled() async throws {
        let events = Events()
        let task = Task { try await LifetimeService { events.add("resource ended") }.run() }
        task.cancel()
        try await task.value
        #expect(events.all == ["resource ended"])
    }
}
