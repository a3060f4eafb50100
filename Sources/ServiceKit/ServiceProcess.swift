public import Logging
public import ServiceLifecycle
internal import UnixSignals

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

#if canImport(Glibc)
    internal import Glibc
#endif

/// What every process of Millrace does in the same way: read settings, log, run its services, stop in order.
public enum ServiceProcess {
    /// How long a stop may take in all, in seconds, before what is left is cancelled: the drain (10 s) and the flush (5 s)
    /// with a margin. Docker kills after 10 s unless told otherwise, Kubernetes after 30 s.
    public static let maxStopSeconds = 18

    /// The exit code for a setting that is missing or wrong (`EX_CONFIG` of sysexits.h).
    private static let configurationFault: Int32 = 78

    /// Runs a process until SIGTERM or SIGINT; then its services stop in the reverse of their order, each having ended
    /// before the one it stands on.
    ///
    /// A failure is one line on standard error, and an exit code other than 0.
    ///
    /// - Parameters:
    ///   - name: What the process is called in its log.
    ///   - compose: Makes the services out of the settings, in the order in which they start.
    public static func run(
        _ name: String, compose: (Settings, Logger) async throws -> [any Service]
    ) async {
        do {
            let settings = Settings()
            let level = try settings.choice(
                "LOG_LEVEL", meaning: "how much is logged", of: Logger.Level.self, default: .info)
            LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
            var logger = Logger(label: name)
            logger.logLevel = level
            let services = try await compose(settings, logger)
            var configuration = ServiceGroupConfiguration(
                services: services.map {
                    // A service that ends by itself takes the process with it: half a process helps nobody.
                    .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup)
                },
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger.quieter())
            configuration.maximumGracefulShutdownDuration = .seconds(maxStopSeconds)
            logger.info("Starting")
            try await ServiceGroup(configuration: configuration).run()
            logger.info("Stopped")
        } catch let error as SettingError {
            stop("\(name): \(error)", code: configurationFault)
        } catch {
            stop("\(name): \(error)", code: 1)
        }
    }

    private static func stop(_ line: String, code: Int32) -> Never {
        FileHandle.standardErrorLine(line)
        exit(code)
    }
}

extension Logger {
    /// The same logger without the chatter of libraries.
    fileprivate func quieter() -> Logger {
        var logger = self
        logger.logLevel = max(logLevel, .notice)
        return logger
    }
}

private enum FileHandle {
    static func standardErrorLine(_ line: String) {
        var text = line + "\n"
        text.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
