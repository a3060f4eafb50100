import Contracts
import Domain
import Foundation
import Logging
import RPC
import TestKit
import Testing

@testable import VideoMetadata

@Suite(.timeLimit(.minutes(1))) struct ContentListenerTests {
    private static let quick = EventPatience(
        limit: .seconds(20), pause: .milliseconds(5), attempt: .seconds(1))

    private func event() throws -> Event {
        try ObjectCommitted(
            key: StorageKey("videos/a"), version: try #require(ObjectVersion("v1")), size: 5, contentType: nil,
            checksum: nil, committedAt: Date(timeIntervalSince1970: 1)
        ).event()
    }

    private func listener(
        _ metadata: InMemoryMetadata, _ patience: EventPatience, _ log: AsyncStream<Void>.Continuation? = nil
    ) -> ContentListener {
        ContentListener(
            metadata: metadata, logger: Logger(label: "tests") { _ in Bell(log: log) }, patience: patience)
    }

    /// Rings at each line of the log.
    private struct Bell: LogHandler {
        let log: AsyncStream<Void>.Continuation?
        var metadata = Logger.Metadata()
        var logLevel = Logger.Level.info

        init(log: AsyncStream<Void>.Continuation?) {
            self.log = log
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log?.yield()
        }
    }

    @Test func anEventIsKeptBackWhileTheDatabaseIsAway() async throws {
        let metadata = InMemoryMetadata()
        metadata.fail(with: ServiceError(.unavailable, "away"))
        let (lines, log) = AsyncStream.makeStream(of: Void.self)
        let listener = listener(metadata, Self.quick, log)
        async let handled: Void = listener.handle(event())
        for await _ in lines.prefix(2) {}
        #expect(metadata.committed.isEmpty)
        metadata.fail(with: nil)
        try await handled
        #expect(metadata.committed.map(\.key.description) == ["videos/a"])
    }

    @Test func whatDoesNotPassIsNotTriedAgain() async throws {
        let metadata = InMemoryMetadata()
        metadata.fail(with: ServiceError(.internal, "broken"))
        let listener = listener(metadata, Self.quick)
        await #expect(throws: ServiceError.self) { try await listener.handle(event()) }
    }

    @Test func thePatienceEnds() async throws {
        let metadata = InMemoryMetadata()
        metadata.fail(with: ServiceError(.unavailable, "away"))
        let listener = listener(
            metadata, EventPatience(limit: .milliseconds(50), pause: .milliseconds(5), attempt: .seconds(1)))
        await #expect(throws: ServiceError.self) { try await listener.handle(event()) }
    }
}
