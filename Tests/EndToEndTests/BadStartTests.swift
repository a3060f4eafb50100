import Foundation
import Logging
import Mongo
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
                (["LOG_LEVEL": "loud"], "LOG_LEVEL"), (["LOG_FORMAT": "xml"], "LOG_FORMAT"),
                (["RABBIT_FILE": "/etc/hostname"], "RABBIT"),
                (["RABBIT": nil, "RABBIT_FILE": "/no/such/file"], "RABBIT_FILE"),
                (["DRAIN_SECONDS": "-1"], "DRAIN_SECONDS"), (["STOP_SECONDS": "0"], "STOP_SECONDS"),
                (["START_SECONDS": "soon"], "START_SECONDS"), (["HOST": "192.0.2.1", "LOG_LEVEL": "critical"], "HOST"),
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
                    Start(kind: kind, changes: ["DBHOST_FILE": "/etc/hostname"], named: "DBHOST"),
                    Start(kind: kind, changes: ["DBHOST": nil, "DBHOST_FILE": "/etc"], named: "DBHOST_FILE"),
                ]
            }
            starts += [
                Start(kind: .storage, changes: ["STORAGE_DIRECTORY": nil], named: "STORAGE_DIRECTORY"),
                Start(kind: .storage, changes: ["STORAGE_DIRECTORY": "/no/such/folder"], named: "STORAGE_DIRECTORY"),
                Start(kind: .storage, changes: ["STORAGE_DIRECTORY": "/etc/hostname"], named: "STORAGE_DIRECTORY"),
                Start(kind: .storage, changes: ["STORAGE_PROVIDER": "tape"], named: "STORAGE_PROVIDER"),
                Start(
                    kind: .storage, changes: azure(["STORAGE_ACCESS_KEY_FILE": "/no/such"]),
                    named: "STORAGE_ACCESS_KEY_FILE"),
                Start(
                    kind: .storage, changes: s3(["AWS_ACCESS_KEY_ID_FILE": "/no/such"]), named: "AWS_ACCESS_KEY_ID_FILE"
                ),
                Start(
                    kind: .storage,
                    changes: s3(["AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY_FILE": "/no/such"]),
                    named: "AWS_SECRET_ACCESS_KEY_FILE"),
                Start(kind: .gateway, changes: ["WRITE_TOKEN_FILE": "/no/such"], named: "WRITE_TOKEN_FILE"),
                Start(kind: .gateway, changes: ["METRICS_PORT": "http"], named: "METRICS_PORT"),
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

        private func azure(_ changes: [String: String?]) -> [String: String?] {
            changes.merging(["STORAGE_PROVIDER": "azure", "STORAGE_ACCOUNT_NAME": "a"]) { $1 }
        }

        private func s3(_ changes: [String: String?]) -> [String: String?] {
            changes.merging(["STORAGE_PROVIDER": "s3", "S3_BUCKET": "a"]) { $1 }
        }

        @Test func aPortThatIsInUseIsNamed() async throws {
            try await TestStack.running { stack in
                for kind in ServiceKind.allCases {
                    let port = String(try #require(stack.all(kind).first).port)
                    // Log lines come before, since it is noticed when everything else is up.
                    try await fails(Start(kind: kind, changes: ["PORT": port, "LOG_LEVEL": "critical"], named: "PORT"))
                }
                let port = String(try stack.gateway().port)
                try await fails(
                    Start(
                        kind: .gateway, changes: ["METRICS_PORT": port, "LOG_LEVEL": "critical"], named: "METRICS_PORT")
                )
            }
        }

        @Test func dataOfANewerVersionIsLeftAlone() async throws {
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("millrace-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let file = folder.appendingPathComponent(".millrace-version")
            for text in ["2\n", "none\n"] {
                try Data(text.utf8).write(to: file)
                try await fails(
                    Start(kind: .storage, changes: ["STORAGE_DIRECTORY": folder.path], named: "STORAGE_DIRECTORY"))
            }
            var logger = Logger(label: "bad-start")
            logger.logLevel = .critical
            let name = "end-to-end-newer-\(ObjectID())"
            let client = try MongoClient(
                configuration: MongoConfiguration(uri: TestEnvironment.database(), database: name), logger: logger)
            let schema = client.collection("schema", of: BSONDocument.self)
            let document = try BSONDocument([("_id", .string("schema")), ("version", .int32(2))])
            _ = try await schema.insert(document, deadline: .now + .seconds(10))
            for kind in [ServiceKind.metadata, .storage] {
                try await fails(Start(kind: kind, changes: ["DBNAME": name, "LOG_LEVEL": "critical"], named: "DBNAME"))
            }
            _ = try await client.runCommand(["dropDatabase": 1], deadline: .now + .seconds(10))
            await client.shutdown()
        }

        @Test func aDatabaseThatDoesNotAnswerOrLetsNobodyInIsNamedAndWaitedFor() async throws {
            let nobody = "mongodb://127.0.0.1:\(try FreePort.find())"
            let wrong = try TestEnvironment.database().replacing(
                "mongodb://", with: "mongodb://user:hunter2@", maxReplacements: 1)
            for kind in [ServiceKind.metadata, .storage] {
                for address in [nobody, wrong] {
                    let start = Start(kind: kind, changes: ["DBHOST": address, "START_SECONDS": "4"], named: "DBHOST")
                    let (process, log) = try await launched(start)
                    defer { process.signal(SIGKILL) }
                    try await eventually("\(kind) tells what it waits for", within: .seconds(10)) {
                        text(log).contains("Waiting for the database (DBHOST): ")
                    }
                    #expect(try await process.exit(within: .seconds(20)) == .code(1))
                    let lines = text(log).split(separator: "\n")
                    #expect(lines.count { $0.contains("Waiting for the database") } == 1, "\(lines)")
                    let last = try #require(lines.last)
                    #expect(
                        last.hasPrefix(
                            "\(kind.rawValue): the database (DBHOST) was not there within 4 s (START_SECONDS): "))
                    #expect(!text(log).contains("hunter2"))
                    try FileManager.default.removeItem(at: log)
                }
            }
        }

        @Test func aBrokerThatDoesNotAnswerOrLetsNobodyInIsNamedOnceAndWaitedFor() async throws {
            let nobody = "amqp://guest:hunter2@127.0.0.1:\(try FreePort.find())"
            var wrong = try #require(URLComponents(string: try TestEnvironment.broker()))
            wrong.password = "hunter2"
            for kind in ServiceKind.allCases {
                for address in [nobody, try #require(wrong.string)] {
                    let (process, log) = try await launched(
                        Start(kind: kind, changes: ["RABBIT": address, "LOG_LEVEL": "notice"], named: "RABBIT"))
                    defer { process.signal(SIGKILL) }
                    try await eventually("\(kind) tells what it misses", within: .seconds(10)) {
                        text(log).contains("This process is not ready: broker: not connected to amqp://")
                    }
                    #expect(text(log).contains("which RABBIT names"))
                    #expect(text(log).contains("No connection to the broker: "), "\(text(log))")
                    #expect(process.exit == nil)
                    #expect(!text(log).contains("hunter2"))
                    process.signal(SIGTERM)
                    #expect(try await process.exit(within: .seconds(30)) == .code(0))
                    #expect(text(log).split(separator: "\n").count { $0.contains("This process is not ready") } == 1)
                    try FileManager.default.removeItem(at: log)
                }
            }
        }

        @Test func aFullDiskIsToldAtTheStart() async throws {
            try await TestStack.running(.init(storageDiskBytes: 1 << 20)) { stack in
                let worker = try #require(stack.all(.storage).first)
                #expect(!worker.log.contains("is full"))
                let folder = SmallDisk.folder(stack.storageFolder, of: worker.process)
                // All the room that there is.
                let filler = folder.appendingPathComponent("filler")
                try Data(count: 1 << 20).write(to: filler)
                let second = try await stack.start(.storage, within: SmallDisk.entrance(of: worker.process))
                try await eventually("the second worker tells that the disk is full") {
                    second.log.contains("STORAGE_DIRECTORY \(stack.storageFolder.path) is full: uploads fail")
                }
                try await second.ready()
            }
        }

        private func text(_ log: URL) -> String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

        private func launched(_ start: Start) async throws -> (process: LaunchedProcess, log: URL) {
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
            let process = try await LaunchedProcess(
                .init(
                    executable: try TestEnvironment.products().appendingPathComponent(start.kind.rawValue),
                    environment: environment, folder: FileManager.default.temporaryDirectory, standardOutput: log,
                    standardError: log))
            return (process, log)
        }

        private func fails(_ start: Start) async throws {
            let (process, log) = try await launched(start)
            defer {
                process.signal(SIGKILL)
                try? FileManager.default.removeItem(at: log)
            }
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
