import Foundation
import Glibc
import Logging
import Mongo
import Synchronization

/// A mongod with data and a port of its own, which a test may kill, and start again with the same.
final class PrivateDatabase: Sendable {
    /// How long it may take to start: after a kill it reads its journal first.
    private static let startLimit = Duration.seconds(60)

    /// How to reach it.
    let address: String
    private let command: LaunchedProcess.Command
    private let running = Mutex<LaunchedProcess?>(nil)

    /// Prepares one below a folder; it does not run yet.
    init(in folder: URL) throws {
        let port = try FreePort.find()
        let data = folder.appendingPathComponent("database", isDirectory: true)
        try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
        let log = folder.appendingPathComponent("mongod.log")
        address = "mongodb://127.0.0.1:\(port)"
        command = .init(
            executable: try TestEnvironment.databaseProgram(),
            arguments: [
                "--bind_ip", "127.0.0.1", "--port", "\(port)", "--dbpath", data.path, "--wiredTigerCacheSizeGB", "0.25",
                "--nounixsocket", "--quiet", "--setParameter", "diagnosticDataCollectionEnabled=false",
            ],
            environment: [:], folder: folder, standardOutput: log, standardError: log)
    }

    /// Starts it, and waits until it answers.
    func start() async throws {
        let process = try await LaunchedProcess(command)
        running.withLock { $0 = process }
        var logger = Logger(label: "end-to-end")
        logger.logLevel = .critical
        let client = try MongoClient(
            configuration: MongoConfiguration(uri: address, database: "admin"), logger: logger)
        do {
            try await eventually("mongod answers", within: Self.startLimit) {
                if let exit = process.exit { throw LaunchedProcess.Failure(description: "mongod ended: \(exit)") }
                return (try? await client.ping(deadline: .now + .seconds(2))) != nil
            }
        } catch {
            await client.shutdown()
            throw error
        }
        await client.shutdown()
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    func kill() async {
        let process = running.withLock { $0 }
        process?.signal(SIGKILL)
        await process?.waitForExit()
    }
}
