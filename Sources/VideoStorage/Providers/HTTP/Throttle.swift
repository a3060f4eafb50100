import Domain
import NIOHTTP1
import Synchronization

/// Keeps requests from a service that has asked to be left alone for a while (429 or 503 with `Retry-After`, RFC 9110 section
/// 10.2.3): all of them, not only the one that was told so.
final class Throttle: Sendable {
    /// A service that wants more than this is asked again all the same: it is more likely mistaken than right.
    private static let longestSeconds = 30

    private let quietUntil = Mutex<[String: ContinuousClock.Instant]>([:])

    /// Takes note of an answer.
    func heed(_ reply: HTTPReply, from host: String) {
        guard reply.status == 429 || reply.status == 503,
            let seconds = reply.headers.first(name: "Retry-After").flatMap(Int.init), seconds > 0
        else { return }
        let until = ContinuousClock.now + .seconds(min(seconds, Self.longestSeconds))
        quietUntil.withLock { $0[host] = max($0[host] ?? until, until) }
    }

    /// Waits until a service may be asked.
    ///
    /// - Throws: `overloaded`, at once, when that is after the deadline; `deadlineExceeded` when the task is cancelled.
    func wait(for host: String, deadline: Deadline) async throws(ServiceError) {
        let until: ContinuousClock.Instant? = quietUntil.withLock { quiet in
            guard let until = quiet[host] else { return nil }
            if until <= .now { quiet[host] = nil }
            return quiet[host]
        }
        guard let until else { return }
        guard until < deadline.instant else {
            throw ServiceError(.overloaded, "The storage service has asked to be left alone for a while; try later.")
        }
        do {
            try await Task.sleep(until: until)
        } catch {
            throw ServiceError(.deadlineExceeded, "The request was cancelled before it was answered.")
        }
    }
}
