internal import Metrics

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Whether a process lives, and whether it can do its work, as JSON documents.
///
/// An orchestrator restarts on the first and routes on the second.
public struct Health: Sendable {
    /// An answer to be sent with `Content-Type: application/json` and `Cache-Control: no-store`.
    public struct Answer: Sendable {
        /// The status of HTTP: 200 or 503.
        public let status: Int
        /// The document.
        public let json: [UInt8]

        /// Whether all is well.
        public var isGood: Bool { status == 200 }
    }

    /// What the documents hold.
    struct Document: Codable, Equatable {
        var status: String
        var problems: [String: String]?
    }

    private let checks: [ReadinessCheck]
    private let draining: Draining
    private let ready = Gauge(label: "millrace_ready")

    /// - Parameters:
    ///   - checks: What the process cannot do without.
    ///   - draining: Whether it is about to stop.
    public init(_ checks: [ReadinessCheck], draining: Draining) {
        self.checks = checks
        self.draining = draining
    }

    /// `/healthz`: an answer at all is the answer.
    public func liveness() -> Answer {
        Self.answer(200, Document(status: "alive"))
    }

    /// `/readyz`: 200 with `ready`, or 503 with `draining`, or with `not ready` and what is missing, by the names of the checks.
    public func readiness() async -> Answer {
        let document = await look()
        return Self.answer(document.status == "ready" ? 200 : 503, document)
    }

    func look() async -> Document {
        // Told at once: who is draining need not ask anybody.
        let problems = draining.hasBegun ? [:] : await Self.problems(checks)
        let isDraining = draining.hasBegun
        ready.record(!isDraining && problems.isEmpty ? 1 : 0)
        if isDraining { return Document(status: "draining") }
        return problems.isEmpty ? Document(status: "ready") : Document(status: "not ready", problems: problems)
    }

    /// Asks every check at once.
    ///
    /// - Parameter checks: What to ask.
    /// - Returns: What is wrong, by the name of the check.
    public static func problems(_ checks: [ReadinessCheck]) async -> [String: String] {
        await withTaskGroup(of: (String, String?).self) { group in
            for check in checks {
                group.addTask { (check.name, await check.problem()) }
            }
            return await group.reduce(into: [:]) { problems, answer in
                // A check that passes does not cover one of the same name that fails.
                if let problem = answer.1 { problems[answer.0] = problem }
            }
        }
    }

    private static func answer(_ status: Int, _ document: Document) -> Answer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Answer(status: status, json: Array((try? encoder.encode(document)) ?? Data()))
    }
}
