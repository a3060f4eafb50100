import Foundation
import TestKit

/// The services, by the names of their executables.
enum ServiceKind: String, CaseIterable {
    case gateway = "video-streaming"
    case metadata = "video-metadata"
    case storage = "video-storage"
}

/// One running process of a service.
struct ServiceUnderTest: Sendable {
    let name: String
    let port: Int
    let process: LaunchedProcess
    /// How it was started.
    let command: LaunchedProcess.Command

    /// Where it logs.
    var logFile: URL { command.standardOutput }

    /// What it has logged so far.
    var log: String { (try? String(contentsOf: logFile, encoding: .utf8)) ?? "" }

    /// The lines of its log that hold a text.
    func logLines(with text: String) -> [Substring] {
        log.split(separator: "\n").filter { $0.contains(text) }
    }

    /// Waits until it says that it can do its work.
    func ready(within limit: Duration = .seconds(60)) async throws {
        try await eventually("\(name) is ready", within: limit) {
            if let exit = process.exit { throw LaunchedProcess.Failure(description: "\(name) ended: \(exit)") }
            return try await answer("/readyz")?.status == 200
        }
    }

    /// Asks for something on a connection of its own; `nil` when it does not even listen.
    private func answer(_ target: String) async throws -> RawHTTPResponse? {
        do {
            return try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request("GET", target)
                return try await connection.response()
            }
        } catch {
            try Task.checkCancellation()
            return nil
        }
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    func kill() async {
        process.signal(SIGKILL)
        await process.waitForExit()
    }

    /// Stops it as an orchestrator does, with SIGTERM.
    ///
    /// - Returns: How it ended.
    /// - Throws: When it is still there after that time.
    func stop(within limit: Duration = .seconds(20)) async throws -> LaunchedProcess.Exit {
        process.signal(SIGTERM)
        return try await process.exit(within: limit)
    }

    /// How many requests it has answered; it tells when it has been stopped.
    func servedRequests() throws -> Int {
        guard let line = logLines(with: "requests_served=").last,
            let number = line.split(separator: "requests_served=").last?.prefix(while: \.isNumber),
            let count = Int(number)
        else { throw LaunchedProcess.Failure(description: "\(name) does not say how many requests it has served") }
        return count
    }
}

/// What did not come in time.
struct TooLate: Error, CustomStringConvertible {
    let description: String
}

/// Waits until something holds.
///
/// - Throws: ``TooLate`` when it does not within that time.
func eventually(
    _ what: String, within limit: Duration = .seconds(10), _ holds: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while try await !holds() {
        guard ContinuousClock.now < end else { throw TooLate(description: "not within \(limit): \(what)") }
        try await Task.sleep(for: .milliseconds(25))
    }
}
