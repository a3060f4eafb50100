import HTTPTypes
import NIOCore
import ServiceKit

/// Answers whether the process lives, whether it can do its work, and what it has counted.
struct HealthHandler: Sendable {
    /// Finds out what is missing.
    let health: Health
    /// What was counted; `nil` when that is told elsewhere.
    let metrics: MetricsRegistry?

    /// `GET /healthz`.
    func live() -> Reply {
        Self.reply(health.liveness())
    }

    /// `GET /readyz`.
    func ready() async -> Reply {
        Self.reply(await health.readiness())
    }

    /// `GET /metrics`.
    func exposition() async -> Reply {
        guard let metrics, let text = try? await metrics.exposition() else { return Reply(.defect) }
        return Reply(
            status: .ok, fields: [.contentType: MetricsRegistry.contentType, .cacheControl: "no-store"],
            body: .bytes(text))
    }

    private static func reply(_ answer: Health.Answer) -> Reply {
        var fields: HTTPFields = [
            .contentType: JSONBody.mediaType, .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
        ]
        if !answer.isGood { fields[.retryAfter] = "1" }
        return Reply(
            status: HTTPResponse.Status(code: answer.status), fields: fields,
            body: .bytes(ByteBuffer(bytes: answer.json)))
    }
}
