internal import HTTPTypes
internal import Hummingbird
public import Logging
internal import NIOCore
public import ServiceLifecycle

/// Answers `GET /healthz`, `GET /readyz` and `GET /metrics` over plain HTTP, beside what the process does else.
public struct HealthServer: Service {
    private let host: String
    private let port: Int
    private let portVariable: String
    private let health: Health
    private let metrics: MetricsRegistry
    private let logger: Logger

    /// Makes a server; it listens when it is run.
    ///
    /// - Parameters:
    ///   - host: The address to listen at.
    ///   - port: The port to listen at.
    ///   - portVariable: The setting that the port came from, for errors.
    ///   - health: What is answered about health.
    ///   - metrics: What was counted.
    ///   - logger: Where failures are told.
    public init(
        host: String, port: Int, portVariable: String = "PORT", health: Health, metrics: MetricsRegistry, logger: Logger
    ) {
        self.host = host
        self.port = port
        self.portVariable = portVariable
        self.health = health
        self.metrics = metrics
        self.logger = logger
    }

    /// Serves until a graceful shutdown.
    ///
    /// - Throws: ``SettingError`` when it cannot listen there.
    public func run() async throws {
        let router = Router()
        router.get("healthz") { _, _ in Self.response(health.liveness()) }
        router.get("readyz") { _, _ in Self.response(await health.readiness()) }
        router.get("metrics") { _, _ in
            let text = try await metrics.exposition()
            return Response(
                status: .ok, headers: [.contentType: MetricText.contentType, .cacheControl: "no-store"],
                body: ResponseBody(byteBuffer: text))
        }
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let application = Application(
            router: router,
            configuration: ApplicationConfiguration(address: .hostname(host, port: port), serverName: nil),
            logger: quiet)
        try await Listening(application, host: host, port: port, portVariable: portVariable).run()
    }

    private static func response(_ answer: Health.Answer) -> Response {
        Response(
            status: HTTPResponse.Status(code: answer.status),
            headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.json)))
    }
}
