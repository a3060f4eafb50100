import Domain
import Logging
import NIOCore
import Synchronization
import TestKit
import Testing

@testable import RPC

struct OutboxPublisherTests {
    private let outbox: ListedOutbox
    private let broker = ListedPublisher()

    init() {
        outbox = ListedOutbox(broker)
    }

    private func event(_ number: Int, _ name: String = "a.b") -> PendingEvent {
        let payload = RPCPayload(contentType: RPCPayload.json, body: ByteBuffer(string: "{}"))
        return PendingEvent(Event(id: "\(number)", name: name, payload: payload), holder: "record \(number)")
    }

    private func running(
        sweep: Duration, optional: Set<String> = [], _ body: @Sendable (OutboxPublisher) async throws -> Void
    ) async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let publisher = OutboxPublisher(
            outbox, publisher: broker, optional: optional, sweepPause: sweep, logger: logger)
        try await withThrowingTaskGroup { group in
            group.addTask { try await publisher.run() }
            try await body(publisher)
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    private func eventually(_ what: Comment, _ holds: @Sendable () -> Bool) async throws {
        for _ in 0..<5_000 where !holds() { try await Task.sleep(for: .milliseconds(2)) }
        #expect(holds(), what)
    }

    @Test func whatItIsToldIsPublishedAtOnceAndThenTakenOut() async throws {
        let event = event(1)
        try await running(sweep: .seconds(3_600)) { publisher in
            // The one sweep at the start is over.
            try await eventually("swept") { outbox.looks == 1 }
            outbox.put([event])
            publisher.tell([event])
            try await eventually("taken out") { outbox.events.isEmpty }
        }
        #expect(broker.published.map(\.id) == ["1"])
        #expect(outbox.removedAfter == [1], "an event must not be taken out before the broker has it")
    }

    @Test func whatAProcessThatDiedHasLeftIsFoundAtTheStart() async throws {
        outbox.put((1...250).map { event($0) })
        try await running(sweep: .seconds(3_600)) { _ in
            try await eventually("taken out") { outbox.events.isEmpty }
        }
        #expect(broker.published.map(\.id) == (1...250).map { "\($0)" })
    }

    @Test func whatCannotBeToldStaysAndIsTriedAgain() async throws {
        broker.fail(with: ServiceError(.unavailable, "There is no broker."))
        outbox.put([event(1)])
        try await running(sweep: .milliseconds(5)) { _ in
            try await eventually("tried") { broker.attempts > 3 }
            #expect(outbox.events.count == 1)
            broker.fail(with: nil)
            try await eventually("taken out") { outbox.events.isEmpty }
        }
        #expect(broker.published.map(\.id) == ["1"])
    }

    /// Without a pause, a full batch that cannot be told would be tried in a loop.
    @Test func aFullBatchThatCannotBeToldIsNotTriedInALoop() async throws {
        broker.fail(with: ServiceError(.unavailable, "There is no broker."))
        outbox.put((1...OutboxPublisher.batchCount).map { event($0) })
        try await running(sweep: .seconds(3_600)) { _ in
            try await eventually("tried") { broker.attempts >= OutboxPublisher.batchCount }
            try await Task.sleep(for: .milliseconds(50))
        }
        #expect(outbox.looks == 1)
    }

    @Test func anEventThatCannotBeTakenOutIsToldAgain() async throws {
        outbox.fail(with: ServiceError(.unavailable, "There is no database."))
        outbox.put([event(1)])
        try await running(sweep: .milliseconds(5)) { _ in
            try await eventually("told twice") { broker.published.count > 1 }
            outbox.fail(with: nil)
            try await eventually("taken out") { outbox.events.isEmpty }
        }
    }

    @Test func onlyWhatNobodyNeedsToWantGoesWithoutAListener() async throws {
        outbox.put([event(1, "a.needed"), event(2, "a.optional")])
        try await running(sweep: .milliseconds(5), optional: ["a.optional"]) { _ in
            try await eventually("taken out") { outbox.events.isEmpty }
        }
        #expect(broker.published.map(\.name) == ["a.needed", "a.optional"])
        #expect(broker.needs == [true, false])
    }
}

/// An outbox in memory that notes how many events had been published when one was taken out.
private final class ListedOutbox: Outbox {
    private struct State {
        var events: [PendingEvent] = []
        var looks = 0
        var removedAfter: [Int] = []
        var failure: ServiceError?
    }

    private let state = Mutex(State())
    private let broker: ListedPublisher

    init(_ broker: ListedPublisher) {
        self.broker = broker
    }

    var events: [PendingEvent] { state.withLock { $0.events } }
    var looks: Int { state.withLock { $0.looks } }
    var removedAfter: [Int] { state.withLock { $0.removedAfter } }

    func put(_ events: [PendingEvent]) { state.withLock { $0.events += events } }
    func fail(with failure: ServiceError?) { state.withLock { $0.failure = failure } }

    func pendingEvents(limit: Int, deadline: Deadline) async throws(ServiceError) -> [PendingEvent] {
        state.withLock { state in
            state.looks += 1
            return Array(state.events.prefix(limit))
        }
    }

    func remove(_ event: PendingEvent, deadline: Deadline) async throws(ServiceError) {
        let published = broker.published.count
        let failure = state.withLock { state in
            if state.failure == nil {
                state.events.removeAll { $0 == event }
                state.removedAfter.append(published)
            }
            return state.failure
        }
        if let failure { throw failure }
    }
}

/// A broker that lists what is published.
private final class ListedPublisher: EventPublishing {
    private struct State {
        var published: [Event] = []
        var needs: [Bool] = []
        var attempts = 0
        var failure: ServiceError?
    }

    private let state = Mutex(State())

    var published: [Event] { state.withLock { $0.published } }
    var needs: [Bool] { state.withLock { $0.needs } }
    var attempts: Int { state.withLock { $0.attempts } }

    func fail(with failure: ServiceError?) { state.withLock { $0.failure = failure } }

    func publish(_ event: Event, needsListener: Bool, deadline: Deadline) async throws(ServiceError) {
        let failure = state.withLock { state in
            state.attempts += 1
            if state.failure == nil {
                state.published.append(event)
                state.needs.append(needsListener)
            }
            return state.failure
        }
        if let failure { throw failure }
    }
}
