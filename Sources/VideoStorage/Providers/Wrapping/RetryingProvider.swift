import Domain
import Synchronization

/// Makes a call again that failed for a reason which may pass: the provider is away or has too much to do, or bytes arrived
/// damaged. Every call of a provider may be repeated, so all of them are.
///
/// Waiting times grow and are random (full jitter), and stay inside the call's deadline. A budget keeps a provider that is
/// down from being asked three times as much: retries are paid for by calls that succeed.
final class RetryingProvider: WrappingProvider {
    /// How often, and how long to wait.
    struct Policy: Sendable {
        /// How many attempts a call has, the first included.
        var maxAttempts = 4
        /// The longest wait before the second attempt; it doubles with each.
        var firstWait = Duration.milliseconds(50)
        /// The longest wait before any attempt.
        var longestWait = Duration.seconds(2)
        /// How many retries may be in hand: what a short outage takes, with 32 calls at once.
        var maxBudget = 64.0
        /// What a call that succeeds adds to the budget: one retry in ten calls may go on for ever.
        var budgetPerSuccess = 0.1
    }

    let inner: any StorageProvider
    private let policy: Policy
    private let budget: Mutex<Double>
    private let pause: @Sendable (Duration) async throws -> Void

    /// Wraps a provider.
    ///
    /// - Parameters:
    ///   - inner: The provider.
    ///   - policy: How often, and how long to wait.
    ///   - pause: Waits, and throws when the task is cancelled; a test hands in one that does not wait.
    init(
        _ inner: any StorageProvider, policy: Policy = Policy(),
        pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.inner = inner
        self.policy = policy
        self.pause = pause
        budget = Mutex(policy.maxBudget)
    }

    func around<Value: Sendable>(
        _ call: ProviderCall, deadline: Deadline, _ body: () async throws(ServiceError) -> Value
    ) async throws(ServiceError) -> Value {
        var wait = policy.firstWait
        var attempt = 1
        while true {
            let failure: ServiceError
            do {
                let value = try await body()
                budget.withLock { $0 = min(policy.maxBudget, $0 + policy.budgetPerSuccess) }
                return value
            } catch {
                failure = error
            }
            let mayPass = failure.isTransient || (call.movesBytes && failure.code == .corrupt)
            let jittered = wait * Double.random(in: 0...1)
            guard mayPass, attempt < policy.maxAttempts, jittered < deadline.remaining(), spend() else { throw failure }
            do {
                try await pause(jittered)
            } catch {
                throw failure
            }
            attempt += 1
            wait = min(policy.longestWait, wait * 2)
        }
    }

    private func spend() -> Bool {
        budget.withLock { budget in
            guard budget >= 1 else { return false }
            budget -= 1
            return true
        }
    }
}
