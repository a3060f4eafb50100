public import Logging
public import ServiceLifecycle

/// Looks every few seconds whether the process can do its work, and logs when that changes. The gauge `millrace_ready` so
/// tells it even where nobody asks for `/readyz`.
public struct HealthWatch: Service {
    /// The pause between two looks: as often as orchestrators look.
    public static let pauseSeconds = 5
    /// What a start takes at least; before that nothing is worth a line.
    private static let firstLookSeconds = 2

    private let health: Health
    private let logger: Logger

    /// Makes a watch; it looks when it is run.
    public init(_ health: Health, logger: Logger) {
        self.health = health
        self.logger = logger
    }

    /// Looks until the task is cancelled or a graceful shutdown begins.
    public func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.watch() }
            try? await gracefulShutdown()
            group.cancelAll()
        }
    }

    private func watch() async {
        var last: Health.Document?
        try? await Task.sleep(for: .seconds(Self.firstLookSeconds))
        while !Task.isCancelled {
            let now = await health.look()
            if now != last, !Task.isCancelled { tell(now) }
            last = now
            try? await Task.sleep(for: .seconds(Self.pauseSeconds))
        }
    }

    private func tell(_ document: Health.Document) {
        guard let problems = document.problems else {
            return logger.notice("This process is \(document.status)")
        }
        let reasons = problems.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        logger.warning("This process is \(document.status): \(reasons.joined(separator: "; "))")
    }
}
