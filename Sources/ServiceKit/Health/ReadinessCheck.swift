/// One thing that a service needs in order to do its work.
public struct ReadinessCheck: Sendable {
    /// What is checked, such as `broker`.
    public let name: String
    /// Finds out what is wrong; `nil` when nothing is. Has to answer within 2 s.
    public let problem: @Sendable () async -> String?

    /// Makes a check.
    public init(_ name: String, problem: @escaping @Sendable () async -> String?) {
        self.name = name
        self.problem = problem
    }

    /// Makes a check out of an attempt that throws when something is wrong.
    public init(_ name: String, attempt: @escaping @Sendable () async throws -> Void) {
        self.init(
            name,
            problem: {
                do {
                    try await attempt()
                    return nil
                } catch {
                    return "\(error)"
                }
            })
    }
}
