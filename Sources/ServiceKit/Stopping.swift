internal import Logging
internal import ServiceLifecycle
internal import Synchronization
internal import UnixSignals

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Runs services, and stops them when a signal comes: first the drain, then the graceful shutdown.
final class Stopping: Sendable {
    private let times: StopTimes
    private let draining: Draining
    private let logger: Logger
    /// The services, once they run.
    private let group = Mutex<ServiceGroup?>(nil)

    init(_ times: StopTimes, draining: Draining, logger: Logger) {
        self.times = times
        self.draining = draining
        self.logger = logger
    }

    /// Runs services until they have stopped.
    func run(_ services: [any Service]) async throws {
        var configuration = ServiceGroupConfiguration(
            services: services.map {
                // A service that ends by itself takes the process with it: half a process helps nobody.
                .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup)
            }, logger: logger.quieter())
        configuration.maximumGracefulShutdownDuration = times.stop
        let made = ServiceGroup(configuration: configuration)
        logger.info("Starting")
        group.withLock { $0 = made }
        try await made.run()
    }

    /// Acts on signals until the task is cancelled.
    func follow(_ signals: UnixSignalsSequence) async {
        await withDiscardingTaskGroup { tasks in
            for await signal in signals {
                guard let group = group.withLock({ $0 }) else {
                    logger.notice("Stopped before the start was done", metadata: ["signal": "\(signal)"])
                    exit(0)
                }
                if draining.hasBegun {
                    await group.triggerGracefulShutdown()
                    continue
                }
                draining.begin()
                logger.notice(
                    "Draining", metadata: ["signal": "\(signal)", "drain_seconds": "\(times.drain.components.seconds)"])
                tasks.addTask {
                    try? await Task.sleep(for: self.times.drain)
                    guard !Task.isCancelled else { return }
                    await group.triggerGracefulShutdown()
                }
            }
            tasks.cancelAll()
        }
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
