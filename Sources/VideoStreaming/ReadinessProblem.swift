/// A part of the system that the gateway needs and cannot reach.
struct ReadinessProblem: Sendable, Equatable, Codable {
    /// Which part: `broker`, `metadata`, `storage`.
    var part: String
    /// What is wrong with it, for humans. Carries no secret.
    var reason: String
}

/// Finds out what is missing; an empty list means that all is well. It bounds its own time: `/readyz` waits for it.
typealias ReadinessCheck = @Sendable () async -> [ReadinessProblem]
