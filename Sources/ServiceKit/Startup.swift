public import Logging

/// Waits, when a process starts, for what it cannot do without: services may be started in any order.
public enum Startup {
    /// How long a start waits before it gives up, in seconds, where `START_SECONDS` says nothing else: a database on a loaded
    /// machine takes 10 to 20.
    public static let maxWaitSeconds = 60

    private struct TooLate: Error, CustomStringConvertible {
        let name: String
        let seconds: Int
        let last: any Error

        var description: String { "\(name) was not there within \(seconds) s (START_SECONDS): \(last)" }
    }

    /// Tries until it succeeds or the time is over.
    ///
    /// - Parameters:
    ///   - name: What is waited for, such as "the database"; it is logged when the first attempt fails.
    ///   - seconds: How long it is waited for.
    ///   - logger: Where that is told.
    ///   - attempt: One attempt, which bounds its own time.
    /// - Throws: An error that names what was waited for and what the last attempt threw; a ``SettingError`` at once, since waiting does not mend it.
    public static func wait(
        for name: String, atMost seconds: Int = maxWaitSeconds, logger: Logger, _ attempt: () async throws -> Void
    ) async throws {
        let end = ContinuousClock.now + .seconds(seconds)
        var hasFailed = false
        while true {
            do {
                return try await attempt()
            } catch {
                if error is SettingError || Task.isCancelled { throw error }
                guard ContinuousClock.now < end else { throw TooLate(name: name, seconds: seconds, last: error) }
                if !hasFailed {
                    logger.warning("Waiting for \(name): \(error)", metadata: ["at_most_seconds": "\(seconds)"])
                }
                hasFailed = true
                try await Task.sleep(for: .milliseconds(500))
            }
        }
    }
}
