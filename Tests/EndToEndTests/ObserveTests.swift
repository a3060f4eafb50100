import Foundation
import TestKit
import Testing

extension EndToEndTests {
    /// What can be seen of a running stack from outside.
    struct ObserveTests {
        private static let mebibyte: Int64 = 1 << 20
        private static let trace = "0af7651916cd43dd8448eb211c80319c"

        @Test func aVideoThatIsPlayedShowsInTheMetricsOfAllServices() async throws {
            let metricsPort = try FreePort.find()
            let layout = TestStack.Layout(gatewaySettings: ["METRICS_PORT": "\(metricsPort)"])
            try await TestStack.running(layout) { stack in
                let video = try await stack.putVideo(bytes: 3 * Self.mebibyte + 17, seed: 1)
                try await video.streamWhole(from: stack.gateway())
                let missing = try await stack.ask("/video?id=ffffffffffffffffffffffff")
                #expect(missing.status == 404)
                #expect(try await stack.ask("/metrics").status == 404)

                var gateway = try await ExposedMetrics.of(port: metricsPort)
                // A response may have come before it has been counted.
                try await eventually("the requests are counted") {
                    gateway = try await ExposedMetrics.of(port: metricsPort)
                    return gateway.value("millrace_gateway_request_seconds_count", ["route": "/video"]) == 2
                }
                let size = Double(video.size)
                let played = ["method": "GET", "route": "/video", "status": "200"]
                #expect(gateway.value("millrace_gateway_requests_total", played) == 1)
                let notFound = ["method": "GET", "route": "/video", "status": "404"]
                #expect(gateway.value("millrace_gateway_requests_total", notFound) == 1)
                let delivered = gateway.samples.filter { $0.name == "millrace_gateway_chunk_bytes_total" }
                #expect(delivered.map(\.value).reduce(0, +) == size)
                #expect(gateway.value("millrace_amqp_connected", ["connection": "publish"]) == 1)
                let found = ["method": "metadata.find.v1", "outcome": "ok"]
                #expect(gateway.value("millrace_rpc_client_calls_total", found) == 1)

                let metadata = try await ExposedMetrics.of(port: try #require(stack.all(.metadata).first).port)
                #expect(metadata.value("millrace_rpc_server_requests_total", found) == 1)
                let seconds = "millrace_rpc_server_request_seconds_bucket"
                #expect(metadata.value(seconds, ["method": "metadata.find.v1", "le": "+Inf"]) == 2)
                #expect(try #require(metadata.value("process_resident_memory_bytes")) > 1e6)

                let storage = try await ExposedMetrics.of(port: try #require(stack.all(.storage).first).port)
                #expect(try #require(storage.value("millrace_storage_read_bytes_total")) >= size)
                #expect(
                    try #require(
                        storage.value("millrace_storage_provider_read_bytes_total", ["provider": "filesystem"])) >= size
                )

                let documented = try ExposedMetrics.documented()
                for process in [gateway, metadata, storage] {
                    #expect(process.unexplained.isEmpty)
                    for (name, type) in process.types { #expect(documented[name] == type, "\(name)") }
                    #expect(process.value("millrace_metrics_dropped_series_total") == 0)
                }
            }
        }

        @Test func oneTraceIsInTheLogsOfAllServicesAndNoSecretIs() async throws {
            try await TestStack.running(.init(settings: ["LOG_FORMAT": "json"])) { stack in
                let video = try await stack.putVideo(bytes: Self.mebibyte, seed: 2)
                let parent = "traceparent: 00-\(Self.trace)-b7ad6b7169203331-01"
                #expect(try await stack.ask(video.target, [parent, "tracestate: vendor=1"]).status == 200)
                for service in stack.all() {
                    try await eventually("\(service.name) has logged the trace") {
                        service.log.contains(#""trace_id":"\#(Self.trace)""#)
                    }
                }
                var spans: Set<String> = ["b7ad6b7169203331"]
                for service in stack.all() {
                    var own: Set<String> = []
                    for line in service.log.split(separator: "\n") {
                        let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
                        let members = try #require(object as? [String: Any], "\(line)")
                        for name in ["time", "level", "message", "service"] {
                            #expect(members[name] is String, "\(line)")
                        }
                        if members["trace_id"] as? String == Self.trace, let span = members["span_id"] as? String {
                            own.insert(span)
                        }
                    }
                    #expect(!own.isEmpty && own.isDisjoint(with: spans), "\(service.name)")
                    spans.formUnion(own)
                    #expect(!service.log.contains(TestStack.writeToken))
                    for kind in ServiceKind.allCases {
                        let address = try TestEnvironment.broker(for: kind.rawValue)
                        let password = try #require(URLComponents(string: address)?.password)
                        #expect(!service.log.contains(":\(password)@"))
                    }
                }
            }
        }

        @Test func aMalformedTraceBeginsANewOne() async throws {
            try await TestStack.running(.init(settings: ["LOG_FORMAT": "json"])) { stack in
                let parent = "traceparent: 00-\(Self.trace)-0000000000000000-01"
                #expect(try await stack.ask("/videos", [parent]).status == 200)
                let gateway = try stack.gateway()
                try await eventually("the request is in the log") {
                    gateway.logLines(with: #""target":"/videos""#).contains { $0.contains(#""trace_id":""#) }
                }
                #expect(!gateway.log.contains(Self.trace))
            }
        }

        @Test func aHealthcheckAsksTheProcessThatRuns() async throws {
            let metricsPort = try FreePort.find()
            try await TestStack.running(.init(gatewaySettings: ["METRICS_PORT": "\(metricsPort)"])) { stack in
                for service in stack.all() {
                    let healthy = try await healthcheck(service)
                    #expect(healthy.exit == .code(0), "\(healthy.output)")
                    #expect(healthy.output.hasSuffix(": ready\n"), "\(healthy.output)")
                }
                try await #require(stack.all(.metadata).first).kill()
                let metadata = try await healthcheck(try #require(stack.all(.metadata).first))
                #expect(metadata.exit == .code(1))
                #expect(metadata.output.hasPrefix("video-metadata: no answer from 127.0.0.1:"), "\(metadata.output)")
                try await eventually("the gateway misses its worker", within: .seconds(30)) {
                    try await healthcheck(try stack.gateway()).exit == .code(1)
                }
                let gateway = try await healthcheck(try stack.gateway())
                #expect(gateway.output.contains("not ready: metadata: no worker takes from"), "\(gateway.output)")
            }
        }

        @Test func aHealthcheckSpeaksTLSWhereTheGatewayDoes() async throws {
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("millrace-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let (certificate, key) = (folder.path + "/certificate.pem", folder.path + "/key.pem")
            let made = try await ProgramRun.of(
                URL(fileURLWithPath: "/usr/bin/openssl"),
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
                    "-subj", "/CN=elsewhere.example", "-keyout", key, "-out", certificate,
                ])
            try #require(made.exit == .code(0), "\(made.errors)")
            try await TestStack.running { stack in
                let gateway = try await stack.start(
                    .gateway, ["TLS_CERTIFICATE": certificate, "TLS_KEY": key, "HOST": "0.0.0.0"])
                try await eventually("the gateway with TLS is ready", within: .seconds(30)) {
                    try await healthcheck(gateway).exit == .code(0)
                }
                #expect(try await healthcheck(gateway).output == "video-streaming: ready\n")
                #expect(try await gateway.stop() == .code(0))
                #expect(try await healthcheck(gateway).exit == .code(1))
            }
        }

        private func healthcheck(_ service: ServiceUnderTest) async throws -> ProgramRun {
            try await ProgramRun.of(
                service.command.executable, ["--healthcheck"], environment: service.command.environment,
                within: .seconds(5))
        }

        /// The README's table of settings is what people go by.
        @Test func helpNamesTheSettingsThatTheReadmeHas() async throws {
            let file = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../README.md").standardizedFileURL
            let rows = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
                .filter { $0.wholeMatch(of: /\| `[A-Z].*\|/) != nil }
                .map { $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) } }
            try #require(rows.count > 30)
            let readers: [(kind: ServiceKind, words: Set<String>)] = [
                (.gateway, ["each", "gateway"]), (.metadata, ["each", "workers"]),
                (.storage, ["each", "workers", "storage"]),
            ]
            for (kind, words) in readers {
                let help = try await ProgramRun.of(
                    try TestEnvironment.products().appendingPathComponent(kind.rawValue), ["--help"])
                #expect(help.exit == .code(0))
                let told = Set(
                    help.output.matches(of: /\b[A-Z][A-Z0-9]*(_[A-Z0-9]+)+\b|\b(PORT|HOST|RABBIT|DBHOST|DBNAME)\b/)
                        .map { String($0.0) }
                ).subtracting(["SIGTERM", "SIGINT"])
                let documented = rows.filter { row in
                    !words.isDisjoint(with: row[1].split(separator: ", ").map(String.init))
                }.flatMap { $0[0].matches(of: /`([A-Z0-9_]+)`/).map { String($0.1) } }
                #expect(Set(documented).subtracting(told).isEmpty, "\(kind): not in --help")
                #expect(told.subtracting(documented).isEmpty, "\(kind): not in the README")
            }
        }
    }
}
