import AMQP
import Domain
import Foundation
import NIOCore
import RPC
import Synchronization
import TestKit
import Testing

/// The real broker behind a network that fails.
@Suite(.serialized, .timeLimit(.minutes(2))) struct NetworkFaultTests {
    /// Two heartbeats, a wake-up of the thread, and what a busy machine takes.
    private static let noticed = Duration.seconds(6)

    private struct Setup: Sendable {
        let proxy: FaultProxy
        let client: AMQPClient
        let queue: String
        let received = Collected<Delivery>()
        let lost = Collected<AMQPError>()
        let log = RecordedLog()
    }

    /// A client whose both connections lead through a proxy. Its consumer takes from the queue that it publishes to.
    private func setup(_ name: String) async throws -> Setup {
        let proxy = try await FaultProxy.start(toPort: try TestBroker.address().hosts[0].port)
        let log = RecordedLog()
        let client = try AMQPClient(
            TestBroker.impatient(name, throughPort: proxy.port), logger: log.logger)
        let setup = Setup(proxy: proxy, client: client, queue: TestBroker.unique(name))
        client.addConsumer(
            Consumer(
                declarations: [
                    .queue(
                        Queue(name: .fixed(setup.queue), lifetime: .durable, arguments: ["x-expires": .int(60_000)]))
                ],
                queue: .fixed(setup.queue), prefetchCount: 10,
                onDelivery: { delivery in
                    setup.received.add(delivery)
                    client.acknowledge(delivery.token)
                }, onInactive: { setup.lost.add($0) }))
        return setup
    }

    /// A message goes to the broker and comes back.
    private func isWell(_ setup: Setup) async throws {
        try await eventually("connected") { setup.client.isConnected }
        let before = setup.received.count
        try await eventually("a message is taken") {
            (try? await publishConfirmed(to: setup.queue, over: setup.client))?.isAccepted == true
        }
        try await eventually("a message comes back") { setup.received.count > before }
    }

    @Test func aBlackHoleInTheMiddleOfAPublishIsNoticedInTwoHeartbeatsAndThePendingFail() async throws {
        let setup = try await setup("black-hole")
        let outcomes = Collected<PublishOutcome>()
        try await withRunning([setup.client]) {
            try await isWell(setup)
            setup.proxy.behave(.blackHole)
            let body = ByteBuffer(repeating: 7, count: 1_048_576)
            // More than the sockets on the way hold, so that one of them stands in the middle of its body.
            for _ in 0..<40 {
                try setup.client.publishConfirmed(Message(body: body), exchange: "", routingKey: setup.queue) {
                    outcomes.add($0)
                }
            }
            let took = try await time {
                try await eventually("all have failed") { outcomes.count == 40 }
            }
            #expect(took < Self.noticed)
            #expect(outcomes.all.allSatisfy { $0.error?.kind == .connectionLost })
            try await eventually("the consumer is told") { setup.lost.count == 1 }
            #expect(setup.lost.all.first?.kind == .connectionLost)
            #expect(!setup.client.isConnected)
            tellFigure("a black hole in the middle of a publish was noticed after \(took)")

            setup.proxy.behave(.pass)
            try await isWell(setup)
        }
        #expect(outcomes.count == 40)
        await setup.proxy.close()
        try await eventually("no thread is left") { try connectionThreads().isEmpty }
    }

    /// With `toServer` the broker's heartbeats still come; it is the broker that notices, a heartbeat later, and hangs up.
    @Test(arguments: [
        (FaultProxy.Behaviour.blackHole, [FaultProxy.Direction.toServer], Self.noticed + .seconds(2)),
        (.swallow, [.toClient], Self.noticed), (.swallow, FaultProxy.Direction.allCases, Self.noticed),
    ])
    func aConnectionThatIsOpenAndDeadIsNoticedInTwoHeartbeats(
        _ behaviour: FaultProxy.Behaviour, _ directions: [FaultProxy.Direction], _ limit: Duration
    ) async throws {
        let setup = try await setup("half-open")
        try await withRunning([setup.client]) {
            try await isWell(setup)
            for direction in directions { setup.proxy.behave(behaviour, towards: direction) }
            let outcome = Collected<PublishOutcome>()
            try setup.client.publishConfirmed(Message(), exchange: "", routingKey: setup.queue) { outcome.add($0) }
            let took = try await time {
                try await eventually("both connections are given up") {
                    !setup.client.isConnected && setup.lost.count == 1 && outcome.count == 1
                }
            }
            #expect(took < limit)
            // What the broker could not hear, or could not answer, was not confirmed.
            #expect(outcome.all.allSatisfy { $0.error?.kind == .connectionLost })
            tellFigure("\(behaviour) \(directions) was noticed after \(took)")
            setup.proxy.behave(.pass)
            try await isWell(setup)
        }
        await setup.proxy.close()
    }

    @Test func everyPublishIsToldItsEndOnceWhenConnectionsAreResetInABurst() async throws {
        let setup = try await setup("reset")
        let ends = Mutex<[Int: Int]>([:])
        let publish = { @Sendable (number: Int) in
            let message = Message(body: ByteBuffer(repeating: 1, count: 5_000))
            do throws(AMQPError) {
                try setup.client.publishConfirmed(message, exchange: "", routingKey: setup.queue) { _ in
                    ends.withLock { $0[number, default: 0] += 1 }
                }
            } catch {
                ends.withLock { $0[number, default: 0] += 1 }
            }
        }
        try await withRunning([setup.client]) {
            try await isWell(setup)
            for number in 0..<2_000 {
                publish(number)
                if number.isMultiple(of: 200) { await setup.proxy.cutAll() }
                if number.isMultiple(of: 20) { try await Task.sleep(for: .milliseconds(1)) }
            }
            try await eventually("all have ended") { ends.withLock { $0.count } == 2_000 }
            try await isWell(setup)
        }
        #expect(ends.withLock { $0.values.allSatisfy { $0 == 1 } })
        await setup.proxy.close()
    }

    /// From the login to the first deliveries, every few bytes.
    @Test func aConnectionMayBeCutAnywhereAndTheClientComesBack() async throws {
        let setup = try await setup("cut")
        try await withRunning([setup.client]) {
            try await isWell(setup)
            for direction in FaultProxy.Direction.allCases {
                for bytes in stride(from: 0, to: 900, by: 37) {
                    setup.proxy.behave(.cut(afterBytes: bytes), towards: direction)
                    let before = setup.proxy.connectionCount
                    await setup.proxy.cutAll()
                    try await eventually("it tries again") { setup.proxy.connectionCount >= before + 2 }
                }
                setup.proxy.behave(.pass)
                try await isWell(setup)
            }
        }
        await setup.proxy.close()
    }

    @Test func aSlowNetworkOnlyTakesItsTime() async throws {
        let setup = try await setup("slow")
        let echo = Echo(worker: setup.client, caller: setup.client)
        try await withRunning([setup.client, echo.server, echo.client]) {
            try await isWell(setup)
            try await eventually("serving") { echo.server.isServing }
            #expect(await echo.call() == nil)
            setup.proxy.behave(.delay(milliseconds: 100))
            // The request, its delivery, the reply and its delivery.
            let took = await time { #expect(await echo.call() == nil) }
            #expect(took >= .milliseconds(400))
            #expect(took < .seconds(3))
        }
        await setup.proxy.close()
    }

    @Test(arguments: [true, false])
    func aCallWhoseConnectionIsResetIsSentAgainOnlyIfThatDoesNoHarm(_ isIdempotent: Bool) async throws {
        let setup = try await setup("call")
        let worker = try TestBroker.client("worker")
        let begun = Atomic(0)
        let echo = Echo(worker: worker, caller: setup.client, isIdempotent: isIdempotent) {
            if begun.add(1, ordering: .relaxed).newValue == 1 { try? await Task.sleep(for: .seconds(1)) }
        }
        try await withRunning([setup.client, worker, echo.server, echo.client]) {
            try await isWell(setup)
            try await eventually("serving") { echo.server.isServing }
            async let result = echo.call()
            try await eventually("begun") { begun.load(ordering: .relaxed) == 1 }
            await setup.proxy.cutAll()
            let error = await result
            #expect(error?.code == (isIdempotent ? nil : .unavailable))
            #expect(begun.load(ordering: .relaxed) == (isIdempotent ? 2 : 1))
            try await eventually("well again") { await echo.call() == nil }
        }
        await setup.proxy.close()
    }
}

/// The names of the threads of this process that drive connections to a broker.
func connectionThreads() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").compactMap { task in
        let name = try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8)
        return name.flatMap { $0.hasPrefix("amqp-") ? $0 : nil }
    }
}
