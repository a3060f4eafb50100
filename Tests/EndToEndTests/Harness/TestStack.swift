import Domain
import Foundation
import Logging
import Mongo
import Synchronization
import TestKit
import Testing

/// Running services with a storage folder and databases of their own.
final class TestStack: Sendable {
    /// How many of each service to start, and how the gateways are set.
    struct Layout: Sendable {
        var gateways = 1
        var metadataWorkers = 1
        var storageWorkers = 1
        /// Settings of all services.
        var settings: [String: String] = [:]
        var gatewaySettings: [String: String] = [:]
        var storageSettings: [String: String] = [:]
        /// How large the file system of the storage folder is, where the one storage worker is to have one of its own: a tmpfs
        /// that only the worker sees.
        var storageDiskBytes: Int64?
        /// Whether the databases are in a mongod that this stack alone uses, so that a test may kill it.
        var hasPrivateDatabase = false
    }

    /// What the gateways take for the right to write.
    static let writeToken = "end-to-end-write-token"

    /// The folder of the storage workers.
    let storageFolder: URL
    private let folder: URL
    private let products: URL
    private let brokers: [ServiceKind: String]
    private let toolBroker: String
    /// The mongod of this stack alone, where it has one.
    let privateDatabase: PrivateDatabase?
    private let databaseServer: String
    private let databases: [ServiceKind: MongoClient]
    private let settings: [String: String]
    private let gatewaySettings: [String: String]
    private let storageSettings: [String: String]
    private let services = Mutex<[(kind: ServiceKind, service: ServiceUnderTest)]>([])

    private init(_ layout: Layout) throws {
        var brokers: [ServiceKind: String] = [:]
        for kind in ServiceKind.allCases { brokers[kind] = try TestEnvironment.broker(for: kind.rawValue) }
        self.brokers = brokers
        toolBroker = try TestEnvironment.broker(for: "millrace")
        products = try TestEnvironment.products()
        settings = layout.settings
        gatewaySettings = layout.gatewaySettings
        storageSettings = layout.storageSettings
        let name = "end-to-end-\(ObjectID())"
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("millrace-\(name)", isDirectory: true)
        storageFolder = folder.appendingPathComponent("storage", isDirectory: true)
        try FileManager.default.createDirectory(at: storageFolder, withIntermediateDirectories: true)
        privateDatabase = layout.hasPrivateDatabase ? try PrivateDatabase(in: folder) : nil
        databaseServer = try privateDatabase?.address ?? TestEnvironment.database()
        var databases: [ServiceKind: MongoClient] = [:]
        for kind in [ServiceKind.metadata, .storage] {
            var logger = Logger(label: "end-to-end")
            logger.logLevel = .critical
            var configuration = MongoConfiguration(uri: databaseServer, database: "\(name)-\(kind.rawValue)")
            configuration.poolThreads = 1
            databases[kind] = try MongoClient(configuration: configuration, logger: logger)
        }
        self.databases = databases
    }

    /// Starts services, waits until they are ready, runs a test, and leaves nothing behind, however it ends.
    static func running(_ layout: Layout = Layout(), _ test: (TestStack) async throws -> Void) async throws {
        let stack = try TestStack(layout)
        explanation.withLock { $0 = stack.tellLogs }
        do {
            try await stack.privateDatabase?.start()
            for _ in 0..<layout.metadataWorkers { try await stack.start(.metadata) }
            let disk = layout.storageDiskBytes.map { SmallDisk.wrapper(bytes: $0, at: stack.storageFolder) } ?? []
            for _ in 0..<layout.storageWorkers { try await stack.start(.storage, within: disk) }
            for _ in 0..<layout.gateways { try await stack.start(.gateway) }
            for service in stack.all() { try await service.ready() }
            try await test(stack)
        } catch {
            // What is thrown from here becomes an issue when the logs have been deleted.
            let logs = stack.tellLogs()
            explanation.withLock { if $0 != nil { $0 = { logs } } }
            await stack.remove()
            throw error
        }
        explanation.withLock { $0 = nil }
        await stack.remove()
    }

    private func remove() async {
        for service in all() { service.process.signal(SIGKILL) }
        for service in all() { await service.process.waitForExit() }
        for database in databases.values {
            _ = try? await database.runCommand(["dropDatabase": 1], deadline: .now + .seconds(10))
            await database.shutdown()
        }
        await privateDatabase?.kill()
        try? FileManager.default.removeItem(at: folder)
    }

    // MARK: - Services

    /// The processes of a service that were started, in that order, those that have ended included.
    func all(_ kind: ServiceKind? = nil) -> [ServiceUnderTest] {
        services.withLock { $0.filter { kind == nil || $0.kind == kind }.map(\.service) }
    }

    /// The first gateway.
    func gateway() throws -> ServiceUnderTest {
        try #require(all(.gateway).first)
    }

    /// Starts one more process of a service, with settings beside its usual ones. It is not ready yet.
    ///
    /// - Parameters:
    ///   - kind: Which service.
    ///   - settings: Settings that replace or are beside its usual ones.
    ///   - wrapper: A program and its arguments that prepares something and then becomes the service (`exec`).
    /// - Returns: The process.
    /// - Throws: When it cannot be started.
    @discardableResult
    func start(
        _ kind: ServiceKind, _ settings: [String: String] = [:], within wrapper: [String] = []
    ) async throws -> ServiceUnderTest {
        let name = "\(kind.rawValue)-\(all(kind).count + 1)"
        let port = try FreePort.find()
        let log = folder.appendingPathComponent("\(name).log")
        let words = wrapper + [products.appendingPathComponent(kind.rawValue).path]
        let command = LaunchedProcess.Command(
            executable: URL(fileURLWithPath: words[0]), arguments: Array(words.dropFirst()),
            environment: environment(of: kind, port: port).merging(settings) { $1 },
            folder: folder, standardOutput: log, standardError: log)
        let service = ServiceUnderTest(
            name: name, port: port, process: try await LaunchedProcess(command), command: command)
        services.withLock { $0.append((kind, service)) }
        return service
    }

    /// Starts a service that has ended once more: the same settings, port and log. It is not ready yet.
    @discardableResult
    func startAgain(_ service: ServiceUnderTest) async throws -> ServiceUnderTest {
        let again = ServiceUnderTest(
            name: service.name, port: service.port, process: try await LaunchedProcess(service.command),
            command: service.command)
        services.withLock { services in
            for index in services.indices where services[index].service.name == service.name {
                services[index].service = again
            }
        }
        return again
    }

    private func environment(of kind: ServiceKind, port: Int) -> [String: String] {
        var environment = ["HOST": "127.0.0.1", "PORT": String(port), "LOG_LEVEL": "debug"]
        environment["RABBIT"] = brokers[kind]
        environment.merge(settings) { $1 }
        if let database = databases[kind] {
            environment["DBHOST"] = databaseServer
            environment["DBNAME"] = database.database
        }
        switch kind {
        case .gateway:
            environment["WRITE_TOKEN"] = Self.writeToken
            environment.merge(gatewaySettings) { $1 }
        case .storage:
            environment["STORAGE_DIRECTORY"] = storageFolder.path
            environment.merge(storageSettings) { $1 }
        case .metadata: break
        }
        return environment
    }

    /// What the operator's tool says.
    struct ToolAnswer: Sendable {
        let exit: LaunchedProcess.Exit
        let output: String
        let errors: String
    }

    /// Runs `millrace` to its end.
    func millrace(_ arguments: String...) async throws -> ToolAnswer {
        let tool = try await startMillrace(arguments)
        defer { tool.process.signal(SIGKILL) }
        return try tool.answer(try await tool.process.exit(within: .seconds(60)))
    }

    /// `millrace` while it runs.
    struct RunningTool: Sendable {
        let process: LaunchedProcess
        fileprivate let output: URL
        fileprivate let errors: URL

        /// What it has said by its end.
        func answer(_ exit: LaunchedProcess.Exit) throws -> ToolAnswer {
            ToolAnswer(
                exit: exit, output: try String(contentsOf: output, encoding: .utf8),
                errors: try String(contentsOf: errors, encoding: .utf8))
        }
    }

    /// Starts `millrace`. Whoever starts it ends it.
    func startMillrace(_ arguments: [String]) async throws -> RunningTool {
        let output = folder.appendingPathComponent("millrace-\(UUID().uuidString).out")
        let errors = output.appendingPathExtension("err")
        let process = try await LaunchedProcess(
            .init(
                executable: products.appendingPathComponent("millrace"), arguments: arguments,
                environment: [
                    "RABBIT": toolBroker, "STORAGE_DIRECTORY": storageFolder.path, "WRITE_TOKEN": Self.writeToken,
                    "GATEWAY_URL": "http://127.0.0.1:\(gateway().port)",
                ], folder: folder, standardOutput: output, standardError: errors))
        return RunningTool(process: process, output: output, errors: errors)
    }

    // MARK: - Databases

    /// All documents of a collection, read past all services.
    func documents(_ collection: String, of kind: ServiceKind) async throws -> [BSONDocument] {
        let database = try #require(databases[kind])
        return try await database.collection(collection, of: BSONDocument.self)
            .find(limit: 100_000, deadline: .now + .seconds(10))
    }

    // MARK: - Videos

    /// Writes a record of a video as any MongoDB client may, past all services.
    func insertRecord(_ fields: [(String, BSON)]) async throws {
        let database = try #require(databases[.metadata])
        let videos = database.collection("videos", of: BSONDocument.self)
        _ = try await videos.insert(try BSONDocument(fields), deadline: .now + .seconds(10))
    }

    /// Writes a record of just `_id` and `videoPath`.
    ///
    /// - Returns: Its id.
    func insertRecord(videoPath: String) async throws -> String {
        let id = ObjectID()
        try await insertRecord([("_id", .objectID(id)), ("videoPath", .string(videoPath))])
        return id.description
    }

    /// Puts a file of pseudo-random bytes into the storage folder, and a record of it into the database.
    func putVideo(_ key: String = "film.mp4", bytes: Int64, seed: UInt64) async throws -> TestVideo {
        let file = storageFolder.appendingPathComponent(key)
        try TestVideo.write(bytes: bytes, seed: seed, to: file)
        return TestVideo(id: try await insertRecord(videoPath: key), file: file, size: bytes)
    }

    /// As ``putVideo(_:bytes:seed:)``, with a second name of the file to compare with when the storage folder has none.
    func putVideoToCompare(_ key: String, bytes: Int64, seed: UInt64) async throws -> TestVideo {
        let video = try await putVideo(key, bytes: bytes, seed: seed)
        let copy = folder.appendingPathComponent("copy-\(key)")
        try FileManager.default.linkItem(at: video.file, to: copy)
        return TestVideo(id: video.id, file: copy, size: bytes)
    }

    // MARK: - Requests

    /// One request to the first gateway, on a connection of its own.
    func ask(_ target: String, _ fields: [String] = [], method: String = "GET") async throws -> RawHTTPResponse {
        try await RawHTTPConnection.connected(toPort: gateway().port) { connection in
            try await connection.request(method, target, fields)
            return try await connection.response(hasBody: method != "HEAD")
        }
    }
}

// MARK: - What went wrong

extension TestStack {
    /// Gives the ends of the logs; `nil` when there is no stack, or when they have been shown.
    private static let explanation = Mutex<(@Sendable () -> [String])?>(nil)
    private static let shownLines = 25

    /// The issue with the ends of the services' logs, the first time in a test.
    static func explained(_ issue: Issue) -> Issue {
        let logs = explanation.withLock { explanation in
            defer { explanation = nil }
            return explanation
        }
        guard let logs else { return issue }
        var issue = issue
        issue.comments += logs().map { Comment(rawValue: $0) }
        return issue
    }

    @Sendable private func tellLogs() -> [String] {
        all().map { service in
            let lines = service.log.split(separator: "\n").suffix(Self.shownLines).joined(separator: "\n")
            let state = service.process.exit.map { "ended: \($0)" } ?? "runs"
            return "\(service.name) (\(state)) logged at last:\n\(lines)"
        }
    }
}
