import Domain

/// Makes at most so many calls of a provider at once; others wait their turn, so many of them at the most, and no longer
/// than their deadline.
struct LimitedProvider: WrappingProvider {
    let inner: any StorageProvider
    private let turns: CallTurns

    /// Wraps a provider.
    ///
    /// - Parameters:
    ///   - inner: The provider.
    ///   - maxCalls: How many calls are made at once. A call takes a connection and, at the most, a block of memory.
    ///   - maxWaiting: How many may wait; one more is `overloaded`.
    init(_ inner: any StorageProvider, maxCalls: Int, maxWaiting: Int) {
        self.inner = inner
        turns = CallTurns(maxCalls: maxCalls, maxWaiting: maxWaiting)
    }

    func around<Value: Sendable>(
        _ call: ProviderCall, deadline: Deadline, _ body: () async throws(ServiceError) -> Value
    ) async throws(ServiceError) -> Value {
        try await turns.take(deadline: deadline)
        defer { turns.giveBack() }
        return try await body()
    }
}
