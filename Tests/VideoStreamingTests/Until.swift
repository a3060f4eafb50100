import Testing

/// Waits, at most 30 s, until something is so that tells nobody when it becomes so.
func until(_ condition: () -> Bool, sourceLocation: SourceLocation = #_sourceLocation) async throws {
    let started = ContinuousClock.now
    while !condition() {
        try #require(started.duration(to: .now) < .seconds(30), sourceLocation: sourceLocation)
        try await Task.sleep(for: .milliseconds(2))
    }
}
