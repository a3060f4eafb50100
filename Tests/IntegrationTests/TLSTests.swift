import AMQP
import Foundation
import NIOCore
import TestKit
import Testing

/// Where the broker listens with TLS, and who vouches for it.
private enum SecureBroker {
    static func value(_ name: String) throws -> String {
        try #require(ProcessInfo.processInfo.environment[name], "set \(name), or run ./ops/test, which does")
    }

    // Another host and another port lead to the same broker; other authorities are whom to trust instead of the right one.
    static func address(
        host: String = "localhost", port: Int? = nil, trusting authorities: String? = nil
    ) throws -> BrokerAddress {
        let right = try BrokerAddress(value("RABBIT_TLS"))
        return try BrokerAddress(
            "amqps://\(right.user):\(right.password)@\(host):\(port ?? right.hosts[0].port)/",
            certificateAuthorityFile: authorities ?? value("RABBIT_CA_FILE"))
    }

    static func configuration(_ address: BrokerAddress) -> AMQPConfiguration {
        var configuration = AMQPConfiguration(address: address, connectionName: "tls")
        configuration.backoff = Backoff(first: .milliseconds(50), limit: .milliseconds(200))
        return configuration
    }

    /// Publishes with a confirm, and fails the test unless the broker takes it.
    static func publish(_ body: ByteBuffer, to queue: String, over client: AMQPClient) async throws {
        let outcome: PublishOutcome = try await withCheckedThrowingContinuation { continuation in
            do {
                try client.publishConfirmed(Message(body: body), exchange: "", routingKey: queue) {
                    continuation.resume(returning: $0)
                }
            } catch {
                continuation.resume(throwing: error)
            }
        }
        guard case .accepted = outcome else {
            Issue.record("\(outcome)")
            return
        }
    }
}

/// Against the real broker that RABBIT_TLS names.
@Suite(.serialized) struct TLSTests {
    private func queue(_ name: String) -> Declaration {
        .queue(Queue(name: .fixed(name), lifetime: .durable, arguments: ["x-expires": .int(60_000)]))
    }

    private func bytes(_ count: Int, _ random: inout SeededRandom) -> ByteBuffer {
        ByteBuffer(bytes: (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    }

    /// The certificate names both.
    @Test(arguments: ["localhost", "127.0.0.1"])
    func bodiesOfEverySizeArriveAsTheyWereSent(host: String) async throws {
        let name = TestBroker.unique("tls-sizes")
        var configuration = SecureBroker.configuration(try SecureBroker.address(host: host))
        configuration.declarations = [queue(name)]
        let client = try AMQPClient(configuration, logger: RecordedLog().logger)
        let received = Collected<ByteBuffer>()
        client.addConsumer(
            Consumer(queue: .fixed(name), prefetchCount: 10) { delivery in
                received.add(delivery.message.body)
                client.acknowledge(delivery.token)
            })
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            var random = SeededRandom(seed: 3)
            for size in [0, 1, 131_064, 1_048_576] {
                let body = bytes(size, &random)
                let before = received.count
                try await SecureBroker.publish(body, to: name, over: client)
                try await eventually("\(size) bytes arrive") { received.count == before + 1 }
                #expect(received.all.last == body, "\(size) bytes")
            }
        }
    }

    // MARK: Whom a client does not trust

    /// Runs a client that must not get a connection, until it tells why.
    private func refusal(_ configuration: AMQPConfiguration) async throws -> String {
        let log = RecordedLog()
        let client = try AMQPClient(configuration, logger: log.logger)
        try await withRunning([client]) {
            try await eventually("told") { !log.lines.isEmpty }
            #expect(!client.isConnected)
        }
        #expect(!log.lines.contains { $0.contains("Connected to the broker") })
        #expect(!log.lines.contains { $0.contains(configuration.address.password) })
        return log.lines.first ?? ""
    }

    @Test func aBrokerThatNobodyTrustedVouchesForIsRefused() async throws {
        let authorities = try SecureBroker.value("RABBIT_OTHER_CA_FILE")
        let told = try await refusal(
            SecureBroker.configuration(SecureBroker.address(trusting: authorities)))
        #expect(told.contains("is not trusted"))
        #expect(told.contains("RABBIT_CA_FILE (\(authorities))"))
    }

    /// The broker answers there as well. `127.1` is a name that the resolver takes for 127.0.0.1.
    @Test(arguments: ["127.0.0.2", "127.1"])
    func aBrokerWhoseCertificateNamesAnotherHostIsRefused(host: String) async throws {
        let told = try await refusal(SecureBroker.configuration(SecureBroker.address(host: host)))
        #expect(told.contains("does not name \(host)."))
    }

    /// Both lead to the broker, but only one is named by its certificate.
    @Test func ofSeveralHostsEachHasToProveItself() async throws {
        let right = try BrokerAddress(SecureBroker.value("RABBIT_TLS"))
        let port = right.hosts[0].port
        let address = try BrokerAddress(
            "amqps://\(right.user):\(right.password)@127.0.0.2:\(port),localhost:\(port)/",
            certificateAuthorityFile: SecureBroker.value("RABBIT_CA_FILE"))
        for _ in 0..<5 {
            let log = RecordedLog()
            let client = try AMQPClient(SecureBroker.configuration(address), logger: log.logger)
            try await withRunning([client]) {
                try await eventually("connected") { client.isConnected }
            }
            let places = log.values(of: "broker")
            #expect(places.count == 2)
            #expect(places.allSatisfy { $0.contains("@localhost:") })
        }
    }

    // MARK: What is set wrong

    @Test func withoutAFileOfCertificatesTheSettingIsNamed() throws {
        let text = try SecureBroker.value("RABBIT_TLS")
        let error = #expect(throws: AMQPError.self) { try BrokerAddress(text).checked() }
        #expect(error?.kind == .invalidConfiguration)
        #expect(error?.message.contains("set RABBIT_CA_FILE") == true)
    }

    @Test func aFileThatHoldsNoCertificatesIsNamed() throws {
        let missing = "/nonexistent/\(UInt64.random(in: 0...UInt64.max)).pem"
        for (file, reason) in [
            (missing, "No such file"), ("/etc", "no certificates in PEM"), ("/etc/hostname", "no certificates in PEM"),
        ] {
            let address = try SecureBroker.address(trusting: file)
            let error = #expect(throws: AMQPError.self) { try address.checked() }
            #expect(error?.kind == .invalidConfiguration)
            #expect(error?.message.contains("RABBIT_CA_FILE names \(file)") == true)
            #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
        }
    }

    @Test func aFileThatVanishesAfterTheStartIsTold() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).pem").path
        try FileManager.default.copyItem(atPath: SecureBroker.value("RABBIT_CA_FILE"), toPath: file)
        let address = try SecureBroker.address(trusting: file).checked()
        try FileManager.default.removeItem(atPath: file)
        let told = try await refusal(SecureBroker.configuration(address))
        #expect(told.contains("RABBIT_CA_FILE names \(file), which cannot be read"))
    }

    @Test func aPortThatSpeaksAnotherProtocolIsToldWithinTheConnectTime() async throws {
        let plainPort = try TestBroker.address().hosts[0].port
        let tls = try SecureBroker.address()
        let plain = try BrokerAddress("amqp://\(tls.user):\(tls.password)@localhost:\(tls.hosts[0].port)/")
        for (address, remedy) in [
            (try SecureBroker.address(port: plainPort), "begins with amqp://."), (plain, "begins with amqps://."),
        ] {
            var configuration = SecureBroker.configuration(address)
            configuration.connectSeconds = 4
            let start = ContinuousClock.now
            let told = try await refusal(configuration)
            #expect(start.duration(to: .now) < .seconds(6))
            #expect(told.contains(remedy), "\(told)")
        }
    }

    // MARK: Nothing stays in OpenSSL's buffers, and nothing waits for ever

    /// A connection that sleeps looks at its socket, which says nothing of bytes that OpenSSL has taken out of it
    /// already. If some were left there, a burst would end with the second that a sleep lasts at most.
    @Test func noMessageOfABurstWaitsForTheNextWakeUp() async throws {
        let name = TestBroker.unique("tls-bursts")
        let client = try AMQPClient(
            SecureBroker.configuration(SecureBroker.address()), logger: RecordedLog().logger)
        let (received, active) = (Collected<ByteBuffer>(), Collected<String>())
        // Acknowledgements would wake the connection.
        client.addConsumer(
            Consumer(
                declarations: [queue(name)], queue: .fixed(name), prefetchCount: 0, acknowledgement: .automatic,
                onDelivery: { received.add($0.message.body) }, onActive: { active.add($0) }))
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected && active.count == 1 }
            var random = SeededRandom(seed: 4)
            var times: [Duration] = []
            for _ in 0..<100 {
                var sizes = (0..<30).map { _ in Int.random(in: 0...500, using: &random) }
                sizes += [16_384, Int.random(in: 15_000...17_000, using: &random), 300_000]
                let bodies = sizes.shuffled(using: &random).map { bytes($0, &random) }
                let before = received.count
                let start = ContinuousClock.now
                for body in bodies {
                    try client.publish(Message(body: body), exchange: "", routingKey: name, isMandatory: false) { _ in }
                }
                try await eventually("the burst arrives") { received.count == before + bodies.count }
                times.append(start.duration(to: .now))
                #expect(Array(received.all.dropFirst(before)) == bodies)
            }
            times.sort()
            print("bursts of 33 messages over TLS: median \(times[50]), slowest \(times[99])")
            // A busy machine may be slow now and then; bytes that are left behind would delay every burst.
            #expect(times.count { $0 > .milliseconds(900) } <= 10)
        }
    }

    @Test func bothConnectionsComeBackAfterTheBrokerClosesThem() async throws {
        let log = RecordedLog()
        let client = try AMQPClient(SecureBroker.configuration(SecureBroker.address()), logger: log.logger)
        try await withRunning([client]) {
            for round in 1...2 {
                try await eventually("connected") {
                    client.isConnected && log.lines.count { $0.contains("Connected to the broker") } == 2 * round
                }
                if round < 2 { try await BrokerControl.run(["close_all_connections", "test"]) }
            }
        }
    }

    /// The broker ends a connection that it has not heard of for two heartbeats.
    @Test func aConnectionThatIsIdleIsKept() async throws {
        let log = RecordedLog()
        var configuration = SecureBroker.configuration(try SecureBroker.address())
        configuration.heartbeatSeconds = 1
        let client = try AMQPClient(configuration, logger: log.logger)
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            try await Task.sleep(for: .seconds(6))
            #expect(client.isConnected)
            #expect(log.lines.count == 2, "\(log.lines)")
        }
    }

    @Test func aBrokerThatFallsSilentIsNoticed() async throws {
        let proxy = try await FaultProxy.start(toPort: SecureBroker.address().hosts[0].port)
        let log = RecordedLog()
        var configuration = SecureBroker.configuration(try SecureBroker.address(port: proxy.port))
        configuration.heartbeatSeconds = 2
        let client = try AMQPClient(configuration, logger: log.logger)
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            proxy.behave(.blackHole)
            try await eventually("both breaks are told", within: .seconds(20)) {
                log.lines.count { $0.hasPrefix("warning: No connection to the broker") } == 2
            }
            proxy.behave(.pass)
            try await eventually("connected again", within: .seconds(20)) { client.isConnected }
        }
        await proxy.close()
    }

    @Test func aWriteThatIsStuckIsBroken() async throws {
        let name = TestBroker.unique("tls-stuck")
        let proxy = try await FaultProxy.start(toPort: SecureBroker.address().hosts[0].port)
        let log = RecordedLog()
        var configuration = SecureBroker.configuration(try SecureBroker.address(port: proxy.port))
        configuration.declarations = [queue(name)]
        // Heartbeats would notice it as well, only later.
        configuration.heartbeatSeconds = 120
        configuration.maxWriteSeconds = 2
        let client = try AMQPClient(configuration, logger: log.logger)
        let failed = Collected<PublishOutcome>()
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            proxy.behave(.blackHole)
            // More than the buffers of two sockets and the proxy hold.
            let body = ByteBuffer(repeating: 7, count: 8 * 1_024 * 1_024)
            for _ in 0..<4 {
                try client.publish(Message(body: body), exchange: "", routingKey: name, isMandatory: false) { outcome in
                    if case .failed = outcome { failed.add(outcome) }
                }
            }
            try await eventually("the break is told", within: .seconds(20)) {
                log.lines.contains { $0.contains("has taken no bytes") } && failed.count > 0
            }
            proxy.behave(.pass)
            try await eventually("connected again", within: .seconds(20)) { client.isConnected }
            try await SecureBroker.publish(ByteBuffer(string: "well"), to: name, over: client)
        }
        await proxy.close()
    }
}
