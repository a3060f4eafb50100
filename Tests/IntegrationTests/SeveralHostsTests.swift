import AMQP
import NIOCore
import TestKit
import Testing

/// Addresses with several hosts, all of which lead to the real broker that RABBIT names, or to nobody.
@Suite(.serialized) struct SeveralHostsTests {
    /// Ports where nobody listens: below the kernel's range, and reserved by IANA.
    private static let deadHosts = ["127.0.0.1:1", "127.0.0.1:4", "[::1]:6"]

    private func configuration(_ hosts: [String]) throws -> AMQPConfiguration {
        let right = try TestBroker.address()
        let address = try BrokerAddress(
            "amqp://\(right.user):\(right.password)@\(hosts.joined(separator: ","))/")
        var configuration = AMQPConfiguration(address: address, connectionName: "hosts")
        configuration.backoff = Backoff(first: .milliseconds(50), limit: .milliseconds(200))
        return configuration
    }

    @Test func hostsThatDoNotAnswerArePassedOverWithoutAPause() async throws {
        let living = try TestBroker.address().hosts[0].description
        for _ in 0..<5 {
            let log = RecordedLog()
            let client = try AMQPClient(configuration(Self.deadHosts + [living]), logger: log.logger)
            try await withRunning([client]) {
                try await eventually("connected") { client.isConnected }
            }
            #expect(log.values(of: "failed_attempts") == ["0", "0"])
            #expect(log.values(of: "broker").allSatisfy { $0.contains("@\(living)/") })
        }
    }

    @Test func whenNoHostAnswersEachIsTold() async throws {
        let log = RecordedLog()
        let client = try AMQPClient(configuration(Self.deadHosts), logger: log.logger)
        try await withRunning([client]) {
            try await eventually("some attempts") { log.lines.count > 8 }
        }
        for host in Self.deadHosts { #expect(log.lines[0].contains("@\(host)/")) }
        // One outage, one warning a connection.
        #expect(log.lines.filter { $0.hasPrefix("warning") }.count == 2)
    }

    @Test func clientsSpreadOverTheHosts() async throws {
        let (one, two) = (try await proxy(), try await proxy())
        let log = RecordedLog()
        for round in 1...24 {
            let client = try AMQPClient(configuration(hosts([one, two])), logger: log.logger)
            try await withRunning([client]) {
                try await eventually("connected") { client.isConnected }
            }
            // Both connections of a client lead to one host.
            #expect(log.values(of: "broker").count == 2 * round)
            #expect(Set(log.values(of: "broker").suffix(2)).count == 1)
        }
        // That all 24 clients choose the same of two happens once in eight million runs.
        #expect(Set(log.values(of: "broker")).count == 2)
        await one.close()
        await two.close()
    }

    @Test func whenAHostDiesAnotherOneIsTaken() async throws {
        let name = TestBroker.unique("hosts")
        let (one, two) = (try await proxy(), try await proxy())
        let log = RecordedLog()
        let atOne = try place(one)
        let atTwo = try place(two)
        let client = try AMQPClient(configuration(hosts([one, two])), logger: log.logger)
        let (received, active) = (Collected<ByteBuffer>(), Collected<String>())
        let queue = Queue(name: .fixed(name), lifetime: .durable, arguments: ["x-expires": .int(60_000)])
        client.addConsumer(
            Consumer(
                declarations: [.queue(queue)], queue: .fixed(name), prefetchCount: 1, acknowledgement: .automatic,
                onDelivery: { received.add($0.message.body) }, onActive: { active.add($0) }))
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected && active.count > 0 }
            // Whichever it is connected to: one of them dies, and later that one is there again and the other dies.
            await one.close()
            try await eventually("on the other") {
                client.isConnected && Set(log.values(of: "broker").suffix(2)) == [atTwo]
            }
            let three = try await FaultProxy.start(toPort: target(), listeningAt: one.port)
            await two.close()
            try await eventually("back") {
                client.isConnected && Set(log.values(of: "broker").suffix(2)) == [atOne]
            }
            try client.publish(
                Message(body: ByteBuffer(string: "well")), exchange: "", routingKey: name, isMandatory: false
            ) { _ in }
            try await eventually("received") { received.all == [ByteBuffer(string: "well")] }
            await three.close()
        }
    }

    private func target() throws -> Int { try TestBroker.address().hosts[0].port }

    private func proxy() async throws -> FaultProxy { try await FaultProxy.start(toPort: target()) }

    private func hosts(_ proxies: [FaultProxy]) -> [String] { proxies.map { "127.0.0.1:\($0.port)" } }

    private func place(_ proxy: FaultProxy) throws -> String {
        "amqp://\(try TestBroker.address().user)@127.0.0.1:\(proxy.port)/"
    }
}
