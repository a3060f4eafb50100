public import Logging

/// Waits, when a process starts, for what it cannot do without: services may be started in any order.
public enum Startup {
    /// How long a start waits before it gives up, in seconds: a database on a loaded machine takes 10 to 20.
    public static let maxWaitSeconds = 60

    /// Tries until it succeeds or the time is over.
    ///
    /// - Parameters:
    ///   - name: What is waited for, such as "the database"; it is logged when the first attempt fails.
    ///   - logger: Where that is told.
    ///   - attempt: One attempt, which bounds its own time.
    /// - Throws: What the last attempt threw.
    public static func wait(
        for name: String, logger: Logger, _ attempt: () async throws -> Void
    ) async throws {
        let end = ContinuousClock.now + .seconds(maxWaitSeconds)
        var hasFailed = false
        while true {
            do {
                return try await attempt()
            } catch {
                guard ContinuousClock.now < end, !Task.isCancelled else { throw error }
                if !hasFailed {
                    logger.warning(
                        "Waiting for \(name): \(error)", metadata: ["at_most_seconds": "\(maxWaitSeconds)"])
                }
                hasFailed = true
                try await Task.sleep(for: .milliseconds(500))
            }
        }
    }
}
