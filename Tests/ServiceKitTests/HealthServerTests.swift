import Logging
import Metrics
import NIOCore
import NIOPosix
import ServiceKit
import Synchronization
import TestKit
import Testing

/// The health endpoint over a real socket of this machine.
struct HealthServerTests {
    private struct NotUp: Error {}

    private let draining = Draining()
    private let metrics = MetricsRegistry()

    @Test func aProcessLivesEvenWhenItIsNotReady() async throws {
        let isConnected = Mutex(false)
        try await serve([ReadinessCheck("broker", problem: { isConnected.withLock { $0 } ? nil : "not connected" })]) {
            port in
            let alive = try await get("/healthz", port)
            #expect(alive.status == 200)
            #expect(alive.text == #"{"status":"alive"}"#)

            let waiting = try await get("/readyz", port)
            #expect(waiting.status == 503)
            #expect(waiting.text == #"{"problems":{"broker":"not connected"},"status":"not ready"}"#)

            isConnected.withLock { $0 = true }
            let ready = try await get("/readyz", port)
            #expect(ready.status == 200)
            #expect(ready.text == #"{"status":"ready"}"#)
            for answer in [alive, waiting, ready] {
                #expect(answer["content-type"] == "application/json")
                #expect(answer["cache-control"] == "no-store")
                #expect(answer.isComplete)
            }
        }
    }

    @Test func aProcessThatDrainsIsNotReadyWhateverElseIsWell() async throws {
        try await serve([ReadinessCheck("broker", problem: { nil })]) { port in
            #expect(try await get("/readyz", port).status == 200)
            draining.begin()
            let answer = try await get("/readyz", port)
            #expect(answer.status == 503)
            #expect(answer.text == #"{"status":"draining"}"#)
            #expect(try await get("/healthz", port).status == 200)
        }
    }

    @Test func whatWasCountedIsTold() async throws {
        Counter(label: "millrace_test_total", factory: metrics).increment(by: 7)
        try await serve([]) { port in
            let answer = try await get("/metrics", port)
            #expect(answer.status == 200)
            #expect(answer["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(answer.text.contains("# TYPE millrace_test_total counter\nmillrace_test_total 7\n"))
        }
    }

    @Test func whoeverCannotListenSaysWhichSettingIsAtFault() async throws {
        try await serve([]) { port in
            let second = HealthServer(
                host: "127.0.0.1", port: port, portVariable: "METRICS_PORT", health: Health([], draining: draining),
                metrics: metrics, logger: RecordedLog().logger)
            let error = await #expect(throws: SettingError.self) { try await second.run() }
            #expect(
                error?.description == "METRICS_PORT cannot be used: 127.0.0.1:\(port) is in use. Stop what listens "
                    + "there, or choose another port")
        }
        let elsewhere = HealthServer(
            host: "192.0.2.1", port: 0, health: Health([], draining: draining), metrics: metrics,
            logger: RecordedLog().logger)
        let error = await #expect(throws: SettingError.self) { try await elsewhere.run() }
        #expect(error?.name == "HOST")
    }

    @Test func nothingElseIsThere() async throws {
        try await serve([]) { port in
            for target in ["/", "/readyz/../healthz/x", "/metrics/x"] {
                let answer = try await get(target, port)
                #expect(answer.status == 404)
            }
        }
    }

    private func get(_ target: String, _ port: Int) async throws -> RawHTTPResponse {
        try await RawHTTPConnection.connected(toPort: port) { connection in
            try await connection.request("GET", target, ["Connection: close"])
            return try await connection.response()
        }
    }

    private func serve(_ checks: [ReadinessCheck], _ work: (_ port: Int) async throws -> Void) async throws {
        let port = try await Self.freePort()
        let server = HealthServer(
            host: "127.0.0.1", port: port, health: Health(checks, draining: draining), metrics: metrics,
            logger: RecordedLog().logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            defer { group.cancelAll() }
            try await waitUntilUp(port)
            try await work(port)
        }
    }

    private func waitUntilUp(_ port: Int) async throws {
        for _ in 0..<500 {
            if (try? await get("/healthz", port)) != nil { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw NotUp()
    }

    /// A port that was free a moment ago: the server cannot tell which one the system gave it. It is closed when this
    /// returns; were it still open, it could take the first request and never answer.
    private static func freePort() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port
        try await channel.close()
        guard let port else { throw NotUp() }
        return port
    }
}
