import AMQP
import Domain
import Foundation
import NIOCore
import Synchronization
import TestKit
import Testing

@testable import RPC

/// Against the cluster of three nodes that RABBIT_CLUSTER names. A node that is killed stays dead: the servers have to be
/// started again before this can run again.
@Suite(
    "ClusterTests (only with MILLRACE_LONG_TESTS=1)", .serialized,
    .enabled(if: ProcessInfo.processInfo.environment["MILLRACE_LONG_TESTS"] == "1", "set MILLRACE_LONG_TESTS=1"))
struct ClusterTests {
    private static let callers = 16
    /// As a chunk: replies of several frames are under way when the node dies.
    private static let largestReply = 262_144

    private struct Cluster {
        let address: BrokerAddress
        let processes: [pid_t]

        init() throws {
            let environment = ProcessInfo.processInfo.environment
            let hint: Comment = "set RABBIT_CLUSTER and RABBIT_CLUSTER_PIDS, or run ./ops/test --all"
            address = try BrokerAddress(try #require(environment["RABBIT_CLUSTER"], hint))
            let pids = try #require(environment["RABBIT_CLUSTER_PIDS"], hint)
            processes = pids.split(separator: ",").compactMap { pid_t($0) }
            try #require(processes.count == address.hosts.count)
            for process in processes { try #require(kill(process, 0) == 0, "a node is dead; start the servers again") }
        }

        func client(_ name: String, _ log: RecordedLog) throws -> AMQPClient {
            try AMQPClient(
                AMQPConfiguration(address: address, connectionName: name), logger: log.logger)
        }

        /// The node that a client is connected to, as its place in the address; both connections lead to one.
        func node(_ log: RecordedLog) throws -> Int {
            let broker = try #require(log.values(of: "broker").last)
            return try #require(address.hosts.firstIndex { broker.contains("@\($0)/") })
        }
    }

    /// What became of the calls.
    private final class Tally: Sendable {
        private let durations = Mutex<[Duration]>([])
        let faults = Collected<String>()

        func add(_ duration: Duration) { durations.withLock { $0.append(duration) } }

        var count: Int { durations.withLock { $0.count } }
        var longest: Duration { durations.withLock { $0.max() ?? .zero } }
    }

    @Test(.timeLimit(.minutes(5)))
    func everyIdempotentCallIsAnsweredWhileTheNodeOfCallerAndWorkerAndQueueIsKilled() async throws {
        let cluster = try Cluster()
        let queue = ServedQueue(
            name: TestBroker.unique("cluster"), maxConcurrentRequests: 8, maxWaitingRequests: 4_096,
            lifetimeWithoutWorkerSeconds: 10)
        let method = RPCMethod("fill.v1", queue: queue.name, isIdempotent: true)
        let service = TestBroker.unique("service")
        let logs = [RecordedLog(), RecordedLog()]
        let workers = try logs.map { try cluster.client("worker", $0) }
        let servers = workers.map {
            RPCServer(
                over: $0, service: service, router: router(method), queues: [queue], logger: RecordedLog().logger)
        }
        let tally = Tally()
        // The first worker declares the queue, whose leader so is on its node.
        try await withRunning([workers[0], servers[0]]) {
            try await eventually("serving", within: .seconds(30)) { servers[0].isServing && workers[0].isConnected }
            let victim = try cluster.node(logs[0])
            try await withRunning([workers[1], servers[1]]) {
                try await eventually("serving", within: .seconds(30)) { servers[1].isServing && workers[1].isConnected }
                print("killing node \(victim); the second worker is at node \(try cluster.node(logs[1]))")
                try await withCaller(atNode: victim, of: cluster, service) { client in
                    try await call(method, over: client, killing: cluster.processes[victim], tally)
                }
            }
        }
        #expect(tally.faults.all == [])
        #expect(tally.longest < .seconds(30))
    }

    /// Runs a caller that is connected to a certain node. Which node a client takes is chance, so several are made.
    private func withCaller(
        atNode node: Int, of cluster: Cluster, _ service: String, _ body: @Sendable (RPCClient) async throws -> Void
    ) async throws {
        for _ in 0..<100 {
            let log = RecordedLog()
            let amqp = try cluster.client("caller", log)
            let client = RPCClient(over: amqp, name: "test", services: [service], logger: log.logger)
            let isThere = try await withRunning([amqp, client]) {
                try await eventually("connected", within: .seconds(30)) { amqp.isConnected }
                guard try cluster.node(log) == node else { return false }
                try await body(client)
                return true
            }
            if isThere { return }
        }
        Issue.record("no client took node \(node)")
    }

    private func call(
        _ method: RPCMethod, over client: RPCClient, killing node: pid_t, _ tally: Tally
    ) async throws {
        let end = ContinuousClock.now + .seconds(30)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<Self.callers {
                group.addTask { await call(method, over: client, number, until: end, tally) }
            }
            try await Task.sleep(for: .seconds(4))
            let before = tally.count
            #expect(before > 0)
            #expect(kill(node, SIGKILL) == 0)
            try await group.waitForAll()
            print("\(before) calls before the kill, \(tally.count - before) after it; longest: \(tally.longest)")
        }
    }

    /// Calls again and again, each time with other bytes and with 30 s to answer.
    private func call(
        _ method: RPCMethod, over client: RPCClient, _ number: Int, until end: ContinuousClock.Instant, _ tally: Tally
    ) async {
        var random = SeededRandom(seed: UInt64(number))
        while ContinuousClock.now < end {
            let size = Int.random(in: 0...Self.largestReply, using: &random)
            let text = String(UInt8(truncatingIfNeeded: random.next()))
            let payload = RPCPayload(
                contentType: "t", fields: ["size": .number(Int64(size))], body: ByteBuffer(string: text))
            let start = ContinuousClock.now
            do throws(ServiceError) {
                let reply = try await client.call(method, payload, deadline: .after(.seconds(30)))
                if reply.body != Self.answer(payload) { tally.faults.add("another answer than the right one") }
            } catch {
                tally.faults.add("after \(start.duration(to: .now)): \(error)")
            }
            tally.add(start.duration(to: .now))
        }
    }

    /// As many bytes as the request asks for, of the value that it names.
    private static func answer(_ request: RPCPayload) -> ByteBuffer {
        let value = UInt8(String(buffer: request.body)) ?? 0
        return ByteBuffer(repeating: value, count: Int(request.number("size") ?? 0))
    }

    private func router(_ method: RPCMethod) -> RPCRouter {
        var router = RPCRouter()
        router.on(method) { (payload, _) throws(ServiceError) in
            RPCPayload(contentType: "t", body: Self.answer(payload))
        }
        return router
    }
}
