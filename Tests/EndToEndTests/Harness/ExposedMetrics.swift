import Foundation
import TestKit
import Testing

/// What a process exposes, as Prometheus' own parser understands it.
struct ExposedMetrics: Sendable {
    private struct Family: Decodable {
        let name: String
        let type: String
        let help: String
        let samples: [Sample]
    }

    struct Sample: Decodable, Sendable {
        let name: String
        let labels: [String: String]
        let value: Double
    }

    /// By the names that METRICS.md has: types.
    let types: [String: String]
    /// Those without an explanation.
    let unexplained: [String]
    /// All samples.
    let samples: [Sample]

    private static let script = """
        import json, sys
        from prometheus_client.parser import text_string_to_metric_families
        found = []
        for family in text_string_to_metric_families(open(sys.argv[1]).read()):
            name = family.name + ("_total" if family.type == "counter" else "")
            samples = [{"name": s.name, "labels": s.labels, "value": s.value} for s in family.samples]
            found.append({"name": name, "type": family.type, "help": family.documentation, "samples": samples})
        json.dump(found, sys.stdout, allow_nan=False)
        """

    /// Asks a process and has the answer parsed.
    static func of(port: Int) async throws -> ExposedMetrics {
        let response = try await RawHTTPConnection.connected(toPort: port) { connection in
            try await connection.request("GET", "/metrics")
            return try await connection.response()
        }
        try #require(response.status == 200)
        #expect(response["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("metrics-\(UUID().uuidString)")
        try Data(response.text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let run = try await ProgramRun.of(TestEnvironment.python(), ["-c", script, file.path])
        try #require(run.exit == .code(0), "\(run.errors)\n\(response.text)")
        let families = try JSONDecoder().decode([Family].self, from: Data(run.output.utf8))
        return ExposedMetrics(
            types: Dictionary(families.map { ($0.name, $0.type) }) { $1 },
            unexplained: families.filter(\.help.isEmpty).map(\.name), samples: families.flatMap(\.samples))
    }

    /// The value of a series; `nil` when it is not there.
    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        samples.first { $0.name == name && $0.labels == labels }?.value
    }

    /// Names and types as METRICS.md has them.
    static func documented() throws -> [String: String] {
        let file = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../Sources/ServiceKit/METRICS.md")
        let rows = try String(contentsOf: file.standardizedFileURL, encoding: .utf8).split(separator: "\n")
            .filter { $0.hasPrefix("| `") }
            .map { $0.split(separator: "|").map { $0.trimmingCharacters(in: CharacterSet(charactersIn: " `")) } }
        return Dictionary(uniqueKeysWithValues: rows.map { ($0[0], $0[1]) })
    }
}
