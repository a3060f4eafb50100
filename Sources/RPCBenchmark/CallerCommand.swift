import AMQP
import ArgumentParser
import Domain
import NIOCore
import RPC
import SystemPackage

/// Keeps a number of calls on their way for some seconds and measures them.
struct CallerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "caller", abstract: "Calls for some seconds, then prints what was measured.")

    /// Far more than a call takes; the C program gives its messages the same expiration.
    private static let deadline = Duration.seconds(30)

    @OptionGroup var broker: BrokerOptions

    @Option(help: "How many calls are on their way at once.")
    var outstanding = 1

    @Option(help: "How large a request is, in bytes.")
    var requestBytes = 200

    @Option(help: "For how long to call before anything is measured.")
    var warmUpSeconds = 0.5

    @Option(help: "For how long to measure.")
    var seconds = 3.0

    @Option(help: "Where to write the latencies: nanoseconds, 64 bits each, in the order of this machine.")
    var latencies: String

    func run() async throws {
        let amqp = try broker.client("rpc-benchmark-caller")
        let client = RPCClient(over: amqp, name: "benchmark", services: [broker.service], logger: broker.logger)
        let measured = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await amqp.run() }
            group.addTask { try await client.run() }
            defer { group.cancelAll() }
            // The first call waits for the connection, which is no part of what is measured.
            _ = try await client.call(broker.method, payload(slot: 0), deadline: .after(Self.deadline))
            return try await measure(client)
        }
        try write(measured.latencies)
        try Output.result([
            "calls": Double(measured.latencies.count), "seconds": seconds, "cpuSeconds": measured.cpuSeconds,
        ])
    }

    private func measure(_ client: RPCClient) async throws -> Measurement {
        let begin = ContinuousClock.now + .seconds(warmUpSeconds)
        let end = begin + .seconds(seconds)
        return try await withThrowingTaskGroup(of: Measurement.self) { group in
            for slot in 0..<outstanding {
                group.addTask(executorPreference: client.executor) {
                    try await keepCalling(client, slot: slot, from: begin, to: end)
                }
            }
            return try await group.reduce(into: Measurement()) { $0.add($1) }
        }
    }

    /// Makes one call after the other. The first slot takes the process's times, for all of them.
    private func keepCalling(
        _ client: RPCClient, slot: Int, from begin: ContinuousClock.Instant, to end: ContinuousClock.Instant
    ) async throws -> Measurement {
        // Reading an option costs as much as a part of a call, so the loop does without.
        let (method, request, expected) = (broker.method, payload(slot: slot), expectedReply(slot: slot))
        var measured = Measurement()
        var hasBegun = false
        var started = ContinuousClock.now
        while true {
            let reply = try await client.call(method, request, deadline: .after(Self.deadline, from: started))
            guard reply.body == expected else { throw ValidationError("A reply has other bytes than expected.") }
            let ended = ContinuousClock.now
            if !hasBegun, ended >= begin {
                hasBegun = true
                if slot == 0 { try measured.begin() }
            }
            if ended >= end { break }
            if hasBegun { measured.latencies.append(started.duration(to: ended).wholeNanoseconds) }
            started = ended
        }
        if slot == 0 { try measured.end() }
        return measured
    }

    private func payload(slot: Int) -> RPCPayload {
        RPCPayload(contentType: RPCPayload.bytes, body: Pattern.body(requestBytes, slot: slot))
    }

    private func expectedReply(slot: Int) -> ByteBuffer {
        broker.replyBytes > 0
            ? Pattern.body(broker.replyBytes, slot: 0) : Pattern.body(requestBytes, slot: slot)
    }

    private func write(_ latencies: [Int64]) throws {
        let file = try FileDescriptor.open(
            FilePath(self.latencies), .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
        try file.closeAfter {
            _ = try latencies.withUnsafeBytes { try file.writeAll($0) }
        }
    }
}

/// What has been measured between the warm-up and the end.
private struct Measurement {
    var latencies: [Int64] = []
    var cpuSeconds = 0.0

    mutating func begin() throws {
        cpuSeconds = -ProcessorTime.seconds
        try Output.line("measuring")
    }

    mutating func end() throws {
        cpuSeconds += ProcessorTime.seconds
        try Output.line("measured")
    }

    mutating func add(_ other: Measurement) {
        latencies += other.latencies
        cpuSeconds += other.cpuSeconds
    }
}

extension Duration {
    fileprivate var wholeNanoseconds: Int64 {
        components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }
}
