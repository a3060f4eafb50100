import HTTPTypes

/// Answers whether the process lives, and whether it can do its work.
struct HealthHandler: Sendable {
    /// Finds out what is missing.
    let readiness: ReadinessCheck

    private struct Liveness: Encodable {
        var status = "alive"
    }

    private struct Readiness: Encodable {
        var ready: Bool
        var problems: [ReadinessProblem]
    }

    /// `GET /healthz`: an answer at all is the answer.
    func health() -> Reply {
        var reply = Reply(json: Liveness())
        reply.fields[.cacheControl] = "no-store"
        return reply
    }

    /// `GET /readyz`: 200, or 503 with the parts that are not ready.
    func ready() async -> Reply {
        let problems = await readiness()
        var reply = Reply(
            status: problems.isEmpty ? .ok : .serviceUnavailable,
            json: Readiness(ready: problems.isEmpty, problems: problems))
        reply.fields[.cacheControl] = "no-store"
        if !problems.isEmpty { reply.fields[.retryAfter] = "1" }
        return reply
    }
}
