import Domain
import NIOCore
import Synchronization
import Testing

@testable import VideoStorage

/// What is put around providers, with a provider that does as it is told.
@Suite(.timeLimit(.minutes(1))) struct WrappingProviderTests {
    private static let key = "film"

    private func stat(_ provider: any StorageProvider, deadline: Deadline = .soon) async throws(ServiceError)
        -> BlobFacts
    {
        try await provider.stat(StorageKey(Self.key), deadline: deadline)
    }

    private func retrying(_ inner: ScriptedProvider, _ policy: RetryingProvider.Policy = .init()) -> RetryingProvider {
        RetryingProvider(inner, policy: policy, pause: { _ in })
    }

    @Test(arguments: [ServiceError.Code.unavailable, .overloaded])
    func failureThatPassesIsTriedAgain(_ code: ServiceError.Code) async throws {
        let inner = ScriptedProvider([code, code])
        #expect(try await stat(retrying(inner)).size == 10)
        #expect(inner.calls == 3)
    }

    @Test(arguments: [
        ServiceError.Code.notFound, .conflict, .invalidArgument, .tooLarge, .internal, .deadlineExceeded, .corrupt,
    ])
    func failureThatStaysIsNotTriedAgain(_ expected: ServiceError.Code) async throws {
        let inner = ScriptedProvider([expected])
        #expect(await code { _ = try await stat(retrying(inner)) } == expected)
        #expect(inner.calls == 1)
    }

    @Test func damagedBytesAreAskedForAgain() async throws {
        let inner = ScriptedProvider([.corrupt])
        let range = try #require(ByteRange(first: 0, last: 9))
        let validator = try #require(BlobValidator("1"))
        let read = try await retrying(inner).read(
            StorageKey(Self.key), range: range, validator: validator, deadline: .soon)
        #expect(read.bytes.readableBytes == 10)
        #expect(inner.calls == 2)
    }

    @Test func attemptsAreLimitedAndTheLastErrorIsTold() async throws {
        let inner = ScriptedProvider(Array(repeating: .unavailable, count: 100))
        #expect(await code { _ = try await stat(retrying(inner)) } == .unavailable)
        #expect(inner.calls == 4)
    }

    @Test func providerThatIsDownIsNotAskedManyTimesAsMuch() async throws {
        let inner = ScriptedProvider(Array(repeating: .unavailable, count: 1_000))
        let provider = retrying(inner)
        for _ in 0..<200 { _ = try? await stat(provider) }
        // 64 retries are in hand, and no success has earned another.
        #expect(inner.calls == 264)
    }

    @Test func noRetryGoesPastTheDeadline() async throws {
        let inner = ScriptedProvider(Array(repeating: .unavailable, count: 100))
        let provider = RetryingProvider(
            inner,
            policy: RetryingProvider.Policy(maxAttempts: 100, firstWait: .seconds(3_600), longestWait: .seconds(3_600)))
        #expect(await code { _ = try await stat(provider, deadline: .after(.milliseconds(1))) } == .unavailable)
        #expect(inner.calls <= 2)
    }

    @Test func noMoreCallsAtOnceThanAllowedAndEveryoneGetsATurn() async throws {
        let inner = ScriptedProvider([], delay: .milliseconds(2))
        let provider = LimitedProvider(inner, maxCalls: 3, maxWaiting: 100)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 { group.addTask { _ = try await stat(provider) } }
            try await group.waitForAll()
        }
        #expect(inner.calls == 50)
        #expect(inner.mostAtOnce == 3)
    }

    @Test func tooManyWhoWaitAreTurnedAway() async throws {
        let inner = ScriptedProvider([], delay: .milliseconds(300))
        let provider = LimitedProvider(inner, maxCalls: 1, maxWaiting: 2)
        let codes = await withTaskGroup(of: ServiceError.Code?.self) { group in
            for _ in 0..<10 { group.addTask { await code { _ = try await stat(provider) } } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes.count { $0 == .overloaded } == 7)
        #expect(codes.count { $0 == nil } == 3)
    }

    @Test func waitEndsAtTheDeadlineOrWhenItIsCancelledAndLosesNoTurn() async throws {
        let inner = ScriptedProvider([], delay: .milliseconds(200))
        let provider = LimitedProvider(inner, maxCalls: 1, maxWaiting: 100)
        let first = Task { try await stat(provider) }
        try await Task.sleep(for: .milliseconds(20))
        #expect(await code { _ = try await stat(provider, deadline: .after(.milliseconds(20))) } == .deadlineExceeded)
        let waiting = Task { await code { _ = try await stat(provider) } }
        try await Task.sleep(for: .milliseconds(20))
        waiting.cancel()
        #expect(await waiting.value == .deadlineExceeded)
        _ = try await first.value
        #expect(try await stat(provider).size == 10)
        #expect(inner.calls == 2)
    }

    @Test func callsAndBytesAreCounted() async throws {
        let counters = CountingMetrics()
        let provider = MeteredProvider(ScriptedProvider([.unavailable]), factory: counters)
        #expect(await code { _ = try await stat(provider) } == .unavailable)
        let range = try #require(ByteRange(first: 0, last: 9))
        let validator = try #require(BlobValidator("1"))
        _ = try await provider.read(StorageKey(Self.key), range: range, validator: validator, deadline: .soon)
        _ = try await provider.stage(
            .none, at: StorageKey(Self.key), index: 0, bytes: ByteBuffer(string: "12345"), deadline: .soon)
        #expect(counters["millrace_storage_provider_calls_total"] == 3)
        #expect(counters["millrace_storage_provider_read_bytes_total"] == 10)
        #expect(counters["millrace_storage_provider_staged_bytes_total"] == 5)
    }
}
