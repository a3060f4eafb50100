import Foundation
import TestKit
import Testing

extension EndToEndTests {
    /// A service that cannot start says why in one line.
    struct BadStartTests {
        private struct Start: Sendable {
            let kind: ServiceKind
            let changes: [String: String?]
            let named: String
        }

        @Test func aMissingOrWrongSettingStopsTheStartWithItsName() async throws {
            let everyKind: [(change: [String: String?], named: String)] = [
                (["RABBIT": nil], "RABBIT"), (["RABBIT": ""], "RABBIT"), (["RABBIT": "localhost:5672"], "RABBIT"),
                (["PORT": nil], "PORT"), (["PORT": "http"], "PORT"), (["PORT": "65536"], "PORT"),
                (["LOG_LEVEL": "loud"], "LOG_LEVEL"),
            ]
            var starts = ServiceKind.allCases.flatMap { kind in
                everyKind.map { Start(kind: kind, changes: $0.change, named: $0.named) }
            }
            for kind in [ServiceKind.metadata, .storage] {
                starts += [
                    Start(kind: kind, changes: ["DBHOST": nil], named: "DBHOST"),
                    Start(kind: kind, changes: ["DBHOST": "localhost"], named: "DBHOST"),
                    Start(kind: kind, changes: ["DBNAME": nil], named: "DBNAME"),
                    Start(kind: kind, changes: ["DBNAME": "a b"], named: "DBHOST or DBNAME"),
                ]
            }
            starts += [
                Start(kind: .storage, changes: ["STORAGE_DIRECTORY": nil], named: "STORAGE_DIRECTORY"),
                Start(kind: .storage, changes: ["STORAGE_DIRECTORY": "/no/such/folder"], named: "STORAGE_DIRECTORY"),
                Start(kind: .storage, changes: ["STORAGE_DIRECTORY": "/etc/hostname"], named: "STORAGE_DIRECTORY"),
                Start(kind: .storage, changes: ["STORAGE_PROVIDER": "tape"], named: "STORAGE_PROVIDER"),
                Start(kind: .gateway, changes: ["READ_AHEAD_CHUNKS": "0"], named: "READ_AHEAD_CHUNKS"),
                Start(kind: .gateway, changes: ["STALL_SECONDS": "long"], named: "STALL_SECONDS"),
                Start(kind: .gateway, changes: ["WRITE_TOKEN": "short"], named: "WRITE_TOKEN"),
                Start(kind: .gateway, changes: ["WRITE_TOKEN": "with a blank in between"], named: "WRITE_TOKEN"),
                Start(kind: .gateway, changes: ["MAX_UPLOAD_BYTES": "0"], named: "MAX_UPLOAD_BYTES"),
                Start(kind: .gateway, changes: ["UPLOAD_BYTES": "1"], named: "UPLOAD_BYTES"),
            ]
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (number, start) in starts.enumerated() {
                    if number >= 4 { try await group.next() }
                    group.addTask { try await fails(start) }
                }
                try await group.waitForAll()
            }
        }

        private func fails(_ start: Start) async throws {
            var environment = [
                "HOST": "127.0.0.1", "PORT": String(try FreePort.find()), "RABBIT": try TestEnvironment.broker(),
            ]
            if start.kind != .gateway {
                environment["DBHOST"] = try TestEnvironment.database()
                environment["DBNAME"] = "end-to-end-bad-start"
            }
            if start.kind == .storage { environment["STORAGE_DIRECTORY"] = "/tmp" }
            for (name, value) in start.changes { environment[name] = value }

            let log = FileManager.default.temporaryDirectory.appendingPathComponent("millrace-\(UUID().uuidString).log")
            defer { try? FileManager.default.removeItem(at: log) }
            let process = try await LaunchedProcess(
                .init(
                    executable: try TestEnvironment.products().appendingPathComponent(start.kind.rawValue),
                    environment: environment, folder: FileManager.default.temporaryDirectory, standardOutput: log,
                    standardError: log))
            defer { process.signal(SIGKILL) }
            let what = Comment(rawValue: "\(start.kind.rawValue) with \(start.changes)")
            do {
                let exit = try await process.exit(within: .seconds(10))
                let lines = try String(contentsOf: log, encoding: .utf8).split(separator: "\n")
                #expect(exit == .code(78), what)
                #expect(lines.count == 1, "\(what): \(lines)")
                let line = lines.first ?? ""
                #expect(line.hasPrefix("\(start.kind.rawValue): \(start.named) "), "\(what): \(lines)")
            } catch let failure as LaunchedProcess.Failure {
                Issue.record(failure, what)
            }
        }
    }
}
