internal import HTTPTypes
internal import Hummingbird
public import Logging
internal import NIOCore
public import ServiceLifecycle

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Answers `GET /healthz` and `GET /readyz` for a process that has no other HTTP.
///
/// `/healthz` says that the process lives: 200, always. `/readyz` says whether it can do its work: 200, or 503 with what
/// is missing. An orchestrator restarts on the first and routes on the second.
public struct HealthServer: Service {
    private let host: String
    private let port: Int
    private let checks: [ReadinessCheck]
    private let logger: Logger

    /// Makes a server; it listens when it is run.
    public init(host: String, port: Int, checks: [ReadinessCheck], logger: Logger) {
        self.host = host
        self.port = port
        self.checks = checks
        self.logger = logger
    }

    /// Serves until a graceful shutdown.
    public func run() async throws {
        let router = Router()
        router.get("healthz") { _, _ in Self.reply(.ok, HealthDocument(status: "alive", problems: nil)) }
        router.get("readyz") { _, _ in
            let problems = await Self.problems(checks)
            return problems.isEmpty
                ? Self.reply(.ok, HealthDocument(status: "ready", problems: nil))
                : Self.reply(.serviceUnavailable, HealthDocument(status: "not ready", problems: problems))
        }
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let application = Application(
            router: router,
            configuration: ApplicationConfiguration(address: .hostname(host, port: port), serverName: nil),
            logger: quiet)
        try await application.run()
    }

    /// Asks every check at once.
    ///
    /// - Parameter checks: What to ask.
    /// - Returns: What is wrong, by the name of the check.
    public static func problems(_ checks: [ReadinessCheck]) async -> [String: String] {
        await withTaskGroup(of: (String, String?).self) { group in
            for check in checks {
                group.addTask { (check.name, await check.problem()) }
            }
            return await group.reduce(into: [:]) { problems, answer in
                // A check that passes does not cover one of the same name that fails.
                if let problem = answer.1 { problems[answer.0] = problem }
            }
        }
    }

    private static func reply(_ status: HTTPResponse.Status, _ document: HealthDocument) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let body = (try? encoder.encode(document)) ?? Data()
        return Response(
            status: status, headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }
}

private struct HealthDocument: Encodable {
    let status: String
    let problems: [String: String]?
}
