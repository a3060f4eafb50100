import Domain
import Synchronization

/// Gathers several answers, which come in any order, for one who waits for all of them.
final class AnswersInOrder<Answer: Sendable>: Sendable {
    private typealias Results = [Result<Answer, ServiceError>]

    private struct State {
        var results: [Result<Answer, ServiceError>?]
        var missing: Int
        var waiter: UnsafeContinuation<Results, Never>?

        /// Who is to be resumed, and with what, when all have come.
        mutating func takeWaiter() -> (UnsafeContinuation<Results, Never>, Results)? {
            guard missing == 0, let waiter = waiter.take() else { return nil }
            return (waiter, results.compactMap(\.self))
        }
    }

    private let state: Mutex<State>

    /// For so many answers.
    init(count: Int) {
        state = Mutex(State(results: Array(repeating: nil, count: count), missing: count))
    }

    /// Puts one in its place; each once.
    func put(_ result: Result<Answer, ServiceError>, at place: Int) {
        let ready = state.withLock { state in
            state.results[place] = result
            state.missing -= 1
            return state.takeWaiter()
        }
        if let (waiter, results) = ready { waiter.resume(returning: results) }
    }

    /// Waits for all of them; called once.
    ///
    /// - Parameter ask: Asks for them; it may put some in already.
    /// - Returns: The answers, each in its place.
    func wait(_ ask: () -> Void) async -> [Result<Answer, ServiceError>] {
        await withUnsafeContinuation { continuation in
            let ready = state.withLock { state in
                state.waiter = continuation
                return state.takeWaiter()
            }
            if let (waiter, results) = ready { waiter.resume(returning: results) }
            ask()
        }
    }
}
