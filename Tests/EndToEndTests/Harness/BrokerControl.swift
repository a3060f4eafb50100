import AMQP
import Foundation
import Testing

/// Runs `rabbitmqctl` for the broker of these tests, in their virtual host only.
enum BrokerControl {
    /// Breaks every connection of the virtual host, as an operator or a failing network would.
    static func closeConnections() async throws {
        _ = try await run(["close_all_connections", "--vhost", host(), "a test breaks all connections"])
    }

    /// How many messages each queue holds, those included that a worker has and has not acknowledged.
    static func messages() async throws -> [String: Int] {
        let table = try await run([
            "list_queues", "--vhost", host(), "--no-table-headers", "--quiet", "name", "messages",
        ])
        return table.split(separator: "\n").reduce(into: [:]) { counts, line in
            let columns = line.split(separator: "\t")
            if columns.count == 2 { counts[String(columns[0])] = Int(columns[1]) }
        }
    }

    private static func host() throws -> String {
        let address = try #require(URL(string: try TestEnvironment.broker()))
        let path = address.path(percentEncoded: false)
        return path.isEmpty ? "/" : String(path.dropFirst())
    }

    private static func run(_ arguments: [String]) async throws -> String {
        let script = try TestEnvironment.value(
            "RABBITMQ_CTL", meaning: "a script that runs rabbitmqctl for the broker of RABBIT_END_TO_END")
        let folder = FileManager.default.temporaryDirectory
        let output = folder.appendingPathComponent("rabbitmqctl-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: output) }
        let process = try await LaunchedProcess(
            .init(
                executable: URL(fileURLWithPath: script), arguments: arguments,
                environment: ProcessInfo.processInfo.environment, folder: folder, standardOutput: output,
                standardError: output))
        defer { process.signal(SIGKILL) }
        let exit = try await process.exit(within: .seconds(60))
        let text = try String(contentsOf: output, encoding: .utf8)
        try #require(exit == .code(0), "rabbitmqctl \(arguments): \(text)")
        return text
    }
}
