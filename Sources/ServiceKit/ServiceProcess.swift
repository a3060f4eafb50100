internal import CoreMetrics
internal import Instrumentation
internal import Logging
public import ServiceLifecycle
internal import UnixSignals

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What every process of Millrace does in the same way: read settings, log, count, run its services, stop in order.
public enum ServiceProcess {
    /// The exit code for a setting that is missing or wrong (`EX_CONFIG` of sysexits.h).
    private static let configurationFault: Int32 = 78

    /// Runs a process until SIGTERM or SIGINT. Then `/readyz` says `draining` at once; for `DRAIN_SECONDS` everything goes on,
    /// so that who routes requests can notice; then its services stop in the reverse of their order, each having ended before
    /// the one it stands on. What takes longer than `STOP_SECONDS` is cancelled. A second signal ends the drain.
    ///
    /// A failure is one line on standard error, and an exit code other than 0. With `--healthcheck` or `--help` it runs no
    /// services.
    ///
    /// - Parameters:
    ///   - name: What the process is called in its log.
    ///   - variables: The settings that it has beside those that every process has.
    ///   - inquiry: How `--healthcheck` finds the running process.
    ///   - compose: Makes the services out of the settings, in the order in which they start.
    public static func run(
        _ name: String, variables: [ServiceVariable] = [], inquiry: HealthInquiry = HealthInquiry(),
        compose: (ServiceEnvironment) async throws -> [any Service]
    ) async {
        let settings = Settings()
        switch CommandLine.arguments.dropFirst().first {
        case "--help", "-h":
            print(ServiceVariable.help(name, variables + ServiceVariable.common), terminator: "")
            return
        case "--healthcheck":
            let (isReady, line) = await inquiry.ask(settings)
            print("\(name): \(line)")
            exit(isReady ? 0 : 1)
        default: break
        }
        FreedMemory.keepSome()
        var end = ProcessEnd(name: name)
        do {
            let format = try settings.choice(
                "LOG_FORMAT", meaning: "how the log is written", of: LogFormat.self, default: .text)
            end.format = format
            let environment = try environment(name, settings, format)
            let times = try StopTimes(settings)
            let stopping = Stopping(times, draining: environment.draining, logger: environment.logger)
            let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
            try await withThrowingTaskGroup(of: Void.self) { group in
                // Until the services run, a signal ends the process: there is nothing to finish.
                group.addTask { await stopping.follow(signals) }
                defer { group.cancelAll() }
                let services = try await compose(environment)
                try await stopping.run(services)
            }
            environment.logger.info("Stopped")
        } catch let error as SettingError {
            end.stop("\(error)", code: configurationFault)
        } catch {
            end.stop("\(error)", code: 1)
        }
    }

    private static func environment(
        _ name: String, _ settings: Settings, _ format: LogFormat
    ) throws -> ServiceEnvironment {
        let level = try settings.choice(
            "LOG_LEVEL", meaning: "how much is logged", of: Logger.Level.self, default: .info)
        let startSeconds = try settings.number(
            "START_SECONDS", meaning: "how many seconds a start waits for the database", in: 1...3_600,
            default: Startup.maxWaitSeconds)
        format.bootstrap(service: name)
        let metrics = MetricsRegistry()
        MetricsSystem.bootstrap(metrics)
        InstrumentationSystem.bootstrap(TraceTracer())
        var logger = Logger(label: name)
        logger.logLevel = level
        return ServiceEnvironment(
            settings: settings, logger: logger, metrics: metrics, draining: Draining(), startSeconds: startSeconds)
    }
}

/// How a process ends that cannot go on.
private struct ProcessEnd {
    let name: String
    var format = LogFormat.text

    func stop(_ reason: String, code: Int32) -> Never {
        switch format {
        case .text: StandardError.write("\(name): \(reason)\n")
        case .json:
            let handler = JSONLogHandler(service: name, label: name, metadataProvider: nil)
            StandardError.write(handler.line(.critical, reason, [:], Timestamp.now()))
        }
        exit(code)
    }
}
