import AMQP
import Domain
import NIOCore
import RPC
import ServiceLifecycle
import Synchronization
import TestKit
import Testing

/// Faults that take minutes.
@Suite(
    "LongFaultTests (only with MILLRACE_LONG_TESTS=1)", .serialized, .timeLimit(.minutes(20)),
    .enabled(if: LongRuns.areWanted, "set MILLRACE_LONG_TESTS=1"))
struct LongFaultTests {
    private static let count = 20

    /// Makes a number of calls at once and tells each one's error and how long it took.
    private func calls(_ echo: Echo) async -> [(error: ServiceError?, took: Duration)] {
        await withTaskGroup(of: (ServiceError?, Duration).self) { group in
            for number in 0..<Self.count {
                group.addTask {
                    let start = ContinuousClock.now
                    let error = await echo.call("\(number)", seconds: 90)
                    return (error, start.duration(to: .now))
                }
            }
            return await group.reduce(into: []) { $0.append((error: $1.0, took: $1.1)) }
        }
    }

    @Test func theBrokerIsKilledAndComesBackAndWhatMayBeSentAgainIsAnswered() async throws {
        let broker = try PrivateBroker()
        try broker.start()
        do {
            let worker = try AMQPClient(
                TestBroker.impatient("worker", at: broker.address), logger: RecordedLog().logger)
            let caller = try AMQPClient(
                TestBroker.impatient("caller", at: broker.address), logger: RecordedLog().logger)
            let begun = Atomic(0)
            let work: @Sendable () async -> Void = {
                // The first attempts are under way when the broker dies.
                let number = begun.add(1, ordering: .relaxed).newValue
                if number > 2, number <= 2 + 2 * Self.count { try? await Task.sleep(for: .seconds(3)) }
            }
            let patient = Echo(worker: worker, caller: caller, work: work)
            let once = Echo(worker: worker, caller: caller, isIdempotent: false, work: work)
            let services: [any Service] = [worker, caller, patient.server, patient.client, once.server, once.client]
            try await withRunning(services) {
                try await eventually("serving", within: .seconds(120)) {
                    patient.server.isServing && once.server.isServing && caller.isConnected
                }
                #expect(await patient.call() == nil)
                #expect(await once.call() == nil)
                let before = try ProcessFigures.now()
                async let answers = calls(patient)
                async let refusals = calls(once)
                try await eventually("all are begun") { begun.load(ordering: .relaxed) == 2 + 2 * Self.count }
                try await broker.kill()
                try await Task.sleep(for: .seconds(5))
                try broker.start()
                for refusal in await refusals {
                    #expect(refusal.error?.code == .unavailable)
                    #expect(refusal.took < .seconds(5))
                }
                let answered = await answers
                #expect(answered.allSatisfy { $0.error == nil })
                let longest = answered.map(\.took).max() ?? .zero
                try await eventually("serving again", within: .seconds(60)) {
                    patient.server.isServing && once.server.isServing
                }
                for _ in 0..<20 { #expect(await once.call() == nil) }
                let after = try ProcessFigures.now()
                tellFigure("broker killed: calls answered after at most \(longest); before \(before), after \(after)")
                // Foundation keeps a run loop, with descriptors of other kinds, for each thread that starts a process.
                #expect(after.moreDescriptors(than: before)["socket:[]"] == nil)
                #expect(after.threads <= before.threads + 1)
            }
        } catch {
            try await broker.remove()
            throw error
        }
        try await broker.remove()
    }

    @Test func aHundredThousandCallsOverConnectionsThatBreakLeaveNothingBehind() async throws {
        let port = try TestBroker.address().hosts[0].port
        let proxies = [try await FaultProxy.start(toPort: port), try await FaultProxy.start(toPort: port)]
        let worker = try AMQPClient(
            TestBroker.impatient("worker", throughPort: proxies[0].port), logger: RecordedLog().logger)
        let caller = try AMQPClient(
            TestBroker.impatient("caller", throughPort: proxies[1].port), logger: RecordedLog().logger)
        let echo = Echo(worker: worker, caller: caller)
        try await withRunning([worker, caller, echo.server, echo.client]) {
            try await eventually("serving") { echo.server.isServing }
            // What is made once and kept (pools of threads and of memory) is made here.
            try await storm(echo, proxies, calls: 10_000)
            let before = try await settledFigures(caller, worker)
            let took = try await time { try await storm(echo, proxies, calls: 100_000) }
            let after = try await settledFigures(caller, worker)
            let connections = proxies.map(\.connectionCount).reduce(0, +)
            tellFigure("100,000 calls, \(connections) connections, \(took): before \(before), after \(after)")
            #expect(connections > 2_000)
            #expect(after.moreDescriptors(than: before) == [:])
            #expect(after.threads <= before.threads + 1)
            #expect(after.residentBytes < before.residentBytes + 20_000_000)

            // As many calls may wait as the table holds: one that had been left in it would make one of them fail.
            for proxy in proxies { await proxy.close() }
            try await eventually("disconnected") { !caller.isConnected }
            let codes = await withTaskGroup(of: ServiceError.Code?.self) { group in
                for _ in 0..<RPCClient.maxPendingCalls { group.addTask { await echo.call(seconds: 8)?.code } }
                return await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
            }
            #expect(codes == [.unavailable: RPCClient.maxPendingCalls])
        }
    }

    /// Calls from 64 tasks; for each hundredth that is answered, the connections of caller or worker are reset.
    private func storm(_ echo: Echo, _ proxies: [FaultProxy], calls: Int) async throws {
        let left = Countdown(calls)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<64 {
                group.addTask {
                    while true {
                        guard let number = left.next() else { return }
                        let error = await echo.call("\(number)", seconds: 90)
                        #expect(error == nil)
                        if number.isMultiple(of: 100) { await proxies[(number / 100) % 2].cutAll() }
                    }
                }
            }
        }
    }

    private func settledFigures(_ clients: AMQPClient...) async throws -> ProcessFigures {
        try await eventually("connected") { clients.allSatisfy(\.isConnected) }
        try await Task.sleep(for: .seconds(2))
        return try ProcessFigures.now()
    }
}

/// Numbers that several tasks share, down to 0.
private final class Countdown: Sendable {
    private let left: Atomic<Int>

    init(_ count: Int) { left = Atomic(count) }

    func next() -> Int? {
        let number = left.subtract(1, ordering: .relaxed).newValue
        return number >= 0 ? number : nil
    }
}
