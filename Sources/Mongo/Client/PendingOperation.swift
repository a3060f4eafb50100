import Synchronization

/// An operation that a caller waits for and a worker thread runs. Whoever finishes it first, finishes it: the worker, the
/// timekeeper, a cancellation, or the shutdown.
protocol PendingOperation: AnyObject, Sendable {
    var deadline: ContinuousClock.Instant { get }

    /// Runs the operation on this thread, unless it is finished already.
    func execute(on connection: DriverConnection)

    /// Finishes the operation with an error, unless it is finished already.
    func fail(_ error: any Error)
}

/// The one implementation of ``PendingOperation``.
final class Operation<Result: Sendable>: PendingOperation {
    private enum State {
        case created
        case waiting(CheckedContinuation<Result, any Error>)
        /// Failed before the caller waited.
        case failed(any Error)
        case finished
    }

    let deadline: ContinuousClock.Instant
    private let body: @Sendable (DriverConnection) throws(MongoError) -> Result
    private let state = Mutex(State.created)

    init(
        deadline: ContinuousClock.Instant, body: @escaping @Sendable (DriverConnection) throws(MongoError) -> Result
    ) {
        self.deadline = deadline
        self.body = body
    }

    /// Lets the caller wait. False when the operation has failed before; the continuation is resumed then.
    func attach(_ continuation: CheckedContinuation<Result, any Error>) -> Bool {
        let error: (any Error)? = state.withLock { state in
            if case .failed(let error) = state {
                state = .finished
                return error
            }
            state = .waiting(continuation)
            return nil
        }
        guard let error else { return true }
        continuation.resume(throwing: error)
        return false
    }

    func execute(on connection: DriverConnection) {
        guard state.withLock({ if case .waiting = $0 { true } else { false } }) else { return }
        do {
            let result = try body(connection)
            takeContinuation()?.resume(returning: result)
        } catch {
            takeContinuation()?.resume(throwing: error)
        }
    }

    func fail(_ error: any Error) {
        let continuation: CheckedContinuation<Result, any Error>? = state.withLock { state in
            switch state {
            case .created:
                state = .failed(error)
                return nil
            case .waiting(let continuation):
                state = .finished
                return continuation
            case .failed, .finished:
                return nil
            }
        }
        continuation?.resume(throwing: error)
    }

    private func takeContinuation() -> CheckedContinuation<Result, any Error>? {
        state.withLock { state in
            guard case .waiting(let continuation) = state else { return nil }
            state = .finished
            return continuation
        }
    }
}
