import Domain
import NIOCore
import Synchronization
import TestKit
import Testing

@testable import VideoStorage

/// Clouds that fail. What is promised: a right answer or a clear error, never wrong bytes, and what was acknowledged is there.
@Suite(.timeLimit(.minutes(5))) struct ProviderFaultTests {
    /// Short, so that an answer that never comes costs little.
    private static var impatient: Deadline { .after(.seconds(3)) }
    private static let rounds = LongRuns.areWanted ? 60 : 8

    /// How often what came of it.
    private final class Score: Sendable {
        private let counts = Mutex<[String: Int]>([:])

        func note(_ what: String) { counts.withLock { $0[what, default: 0] += 1 } }
        func count(_ what: String) -> Int { counts.withLock { $0[what] ?? 0 } }
    }

    @Test(arguments: [0.05, 0.3])
    func s3ThatFailsNeverGivesWrongBytes(_ share: Double) async throws {
        let endpoint = try ServiceEndpoint(ProviderUnderTest.variable("S3_TEST_ENDPOINT"))
        try await FaultyService.run(before: endpoint.server, share: share, seed: 1) { service in
            try await ProviderUnderTest.withS3(port: service.port) { provider in
                // moto checks no signature, so a bit that flips on the way there is found when it is read.
                try await Self.exercise(RetryingProvider(CheckedProvider(provider)), isChecked: false, share)
            }
        }
    }

    @Test(arguments: [0.05, 0.3])
    func azureThatFailsNeverGivesWrongBytes(_ share: Double) async throws {
        let endpoint = try ServiceEndpoint(ProviderUnderTest.variable("AZURE_TEST_ENDPOINT"))
        try await FaultyService.run(before: endpoint.server, share: share, seed: 2) { service in
            try await ProviderUnderTest.withAzure(port: service.port) { provider in
                try await Self.exercise(RetryingProvider(provider), isChecked: true, share)
            }
        }
    }

    /// Puts blobs and reads them, as well as the service lets it. Where the service checks what it gets (`isChecked`), what was
    /// committed is right.
    private static func exercise(
        _ provider: any StorageProvider, isChecked: Bool, _ share: Double
    ) async throws {
        let score = Score()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for round in 0..<rounds {
                if round >= 4 { try await group.next() }
                group.addTask { try await putAndRead(provider, round, isChecked: isChecked, score) }
            }
            try await group.waitForAll()
        }
        #expect(score.count("wrong") == 0)
        #expect(score.count("right") > 0)
        if share > 0.2 { #expect(score.count("refused") > 0) }
    }

    private static func putAndRead(
        _ provider: any StorageProvider, _ round: Int, isChecked: Bool, _ score: Score
    ) async throws {
        let name = try StorageKey("uploads/\(round)")
        let blob = PatternBytes(seed: UInt64(round) << 32, count: Int64(provider.limits.blockBytes) + 700_001)
        guard let facts = await put(blob, at: name, provider) else { return score.note("refused") }
        #expect(facts.size == blob.count)
        for step in 0..<20 {
            let first = Int64(step) * 311_111
            guard let range = ByteRange(first: first, last: first + 262_143), first < blob.count else { break }
            do {
                let read = try await provider.read(
                    name, range: range, validator: facts.validator, deadline: impatient)
                score.note(read.bytes == blob.buffer(from: first, count: 262_144) ? "right" : "wrong")
            } catch {
                score.note("refused")
                // A blob that was committed is there, and is what it was.
                #expect(![.notFound, .invalidArgument].contains(error.code), "\(error)")
                if isChecked { #expect(error.code != .conflict, "\(error)") }
            }
        }
    }

    /// Puts a blob as a gateway would, giving each step a few tries; `nil` when that was not enough.
    private static func put(
        _ blob: PatternBytes, at name: StorageKey, _ provider: any StorageProvider
    ) async -> BlobFacts? {
        for _ in 0..<5 {
            do {
                let handle = try await provider.begin(name, contentType: nil, deadline: impatient)
                var blocks: [StagedBlock] = []
                for index in 0..<provider.blockCount(of: blob) {
                    let bytes = provider.block(index, of: blob)
                    let receipt = try await provider.stage(
                        handle, at: name, index: index, bytes: bytes, deadline: impatient)
                    blocks.append(StagedBlock(index: index, size: bytes.readableBytes, receipt: receipt))
                }
                return try await provider.commit(
                    handle, at: name, blocks: blocks, contentType: nil, deadline: impatient)
            } catch {
                continue
            }
        }
        return nil
    }

    @Test func keyThatIsWrongIsRefusedByMicrosoftsOwnCheck() async throws {
        try await ProviderUnderTest.withAzure(key: "AAECAwQFBgcICQoLDA0ODw==") { provider in
            #expect(await code { _ = try await provider.facts("film") } == .internal)
            #expect(await code { _ = try await provider.listing(pageSize: 10) } == .internal)
        }
    }

    @Test func serviceThatIsNotThereIsUnavailable() async throws {
        try await ProviderUnderTest.withS3(port: 9) { provider in
            #expect(await code { _ = try await provider.facts("film") } == .unavailable)
        }
    }

    /// A proxy that takes every connection and says nothing.
    @Test func serviceThatSaysNothingIsLateAndNotWaitedFor() async throws {
        let endpoint = try ServiceEndpoint(ProviderUnderTest.variable("AZURE_TEST_ENDPOINT"))
        try await FaultyService.run(before: endpoint.server, share: 0, seed: 3) { service in
            let proxy = try await FaultProxy.start(toPort: service.port)
            proxy.behave(.blackHole)
            try await ProviderUnderTest.withAzure(port: proxy.port) { provider in
                let start = ContinuousClock.now
                let result = await code {
                    _ = try await provider.stat(StorageKey("film"), deadline: .after(.milliseconds(300)))
                }
                #expect(result == .deadlineExceeded)
                #expect(start.duration(to: .now) < .seconds(10))
            }
            await proxy.close()
        }
    }
}

extension ServiceEndpoint {
    /// The server itself: a request that is forwarded has its whole path already.
    fileprivate var server: String { "\(scheme)://\(host)" }
}
