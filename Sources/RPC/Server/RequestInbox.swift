internal import Synchronization

/// Hands requests from the connection's thread over to the task that has them served: all that have come at once, since a
/// wake-up costs more than a request.
///
/// Bounded by the prefetch of the queues: the broker sends no more until something is acknowledged.
final class RequestInbox: Sendable {
    private struct State {
        var requests: [IncomingRequest] = []
        var waiter: CheckedContinuation<Void, Never>?
        var isFinished = false
    }

    private let state = Mutex(State())

    /// Puts in a request. Called on any thread.
    func put(_ request: IncomingRequest) {
        let waiter = state.withLock { state in
            state.requests.append(request)
            return state.waiter.take()
        }
        waiter?.resume()
    }

    /// Nothing more will come.
    func finish() {
        let waiter = state.withLock { state in
            state.isFinished = true
            return state.waiter.take()
        }
        waiter?.resume()
    }

    /// Waits until there are requests, and takes them; called by one task.
    ///
    /// - Returns: At least one; none when it is finished and empty.
    func next() async -> [IncomingRequest] {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                guard state.requests.isEmpty, !state.isFinished else { return true }
                state.waiter = continuation
                return false
            }
            if isReady { continuation.resume() }
        }
        return state.withLock { state in
            defer { state.requests = [] }
            return state.requests
        }
    }
}
