import Domain

/// Tries again what may succeed a little later: workers are exchanged while an operator's command runs.
struct Patience: Sendable {
    /// How often something is tried at the most.
    var attempts: Int
    /// The pause after the first failure; it doubles, up to ``longestPause``.
    var pause: Duration
    /// No pause is longer.
    var longestPause: Duration = .seconds(5)

    /// Bears what a restart of all workers takes.
    static let standard = Patience(attempts: 10, pause: .milliseconds(250))

    /// Whether an error may not be there the next time. A conflict is one with somebody else's change.
    static func mayPass(_ code: ServiceError.Code) -> Bool {
        [.unavailable, .overloaded, .deadlineExceeded, .conflict].contains(code)
    }

    /// Does something until it succeeds, fails for good, or has failed too often.
    func run<Value>(_ body: () async throws(ServiceError) -> Value) async throws(ServiceError) -> Value {
        var pause = pause
        for _ in 1..<max(1, attempts) {
            do throws(ServiceError) {
                return try await body()
            } catch {
                guard Self.mayPass(error.code), !Task.isCancelled else { throw error }
            }
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, longestPause)
        }
        return try await body()
    }
}
