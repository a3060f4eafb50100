import Contracts
import Domain
import Foundation
import RPC
import Testing

@testable import VideoStorage

@Suite(.timeLimit(.minutes(1))) struct ObjectDeletionTests {
    private static let id = "aaaaaaaaaaaaaaaaaaaaaaaa"

    private func deleted(
        _ path: String?, _ version: ObjectVersion? = nil, at moment: Date?
    ) throws -> Event {
        try VideoDeleted(
            id: try #require(VideoID(Self.id)), videoPath: path, version: version, deletedAt: moment
        ).event(revision: 2)
    }

    @Test func theObjectOfADeletedVideoGoesWithIt() async throws {
        let worker = try WorkerFixture()
        let facts = try await worker.upload("videos/1", pattern(1_000))
        // The clock of the one who deleted is an hour late: the version tells.
        try await worker.deletion.handle(
            deleted("videos/1", facts.version, at: facts.modifiedAt.addingTimeInterval(-3_600)))
        #expect(await code { _ = try await worker.facts("videos/1") } == .notFound)
    }

    @Test func aRecordThatKnowsNoVersionTakesWhatWasThere() async throws {
        let worker = try WorkerFixture()
        let facts = try await worker.upload("videos/1", pattern(1_000))
        try await worker.deletion.handle(deleted("videos/1", at: facts.modifiedAt))
        #expect(await code { _ = try await worker.facts("videos/1") } == .notFound)
    }

    @Test func theObjectOfAVideoThatIsStillPlayedStays() async throws {
        let worker = try WorkerFixture()
        try await worker.upload("videos/1", pattern(1_000))
        try await worker.deletion.handle(deleted(nil, at: Date()))
        #expect(try await worker.bytes(worker.facts("videos/1")) == pattern(1_000))
    }

    @Test func anEventThatComesAgainTakesNothingThatWasUploadedSince() async throws {
        let worker = try WorkerFixture()
        let first = try await worker.upload("videos/1", pattern(1_000))
        let event = try deleted("videos/1", first.version, at: first.modifiedAt.addingTimeInterval(-1))
        try await worker.deletion.handle(event)
        let second = try await worker.upload("videos/1", pattern(2_000, seed: 2))
        try await worker.deletion.handle(event)
        #expect(try await worker.facts("videos/1") == second)
        #expect(try await worker.bytes(second) == pattern(2_000, seed: 2))
    }

    @Test func anEventThatComesLateTakesNoFileThatWasPutThereSince() async throws {
        let worker = try WorkerFixture()
        try worker.old.write(pattern(10), to: "film.mp4")
        try await worker.deletion.handle(deleted("film.mp4", at: Date().addingTimeInterval(-60)))
        #expect(try await worker.bytes(worker.facts("film.mp4")) == pattern(10))
        try await worker.deletion.handle(deleted("film.mp4", at: Date().addingTimeInterval(60)))
        #expect(await code { _ = try await worker.facts("film.mp4") } == .notFound)
    }

    @Test func aDeletedObjectIsGoneAtOnceAndItsBlobAndEntryLater() async throws {
        let worker = try WorkerFixture()
        let facts = try await worker.upload("videos/1", pattern(1_000))
        worker.catalogue.tellEvents()
        let key = try StorageKey("videos/1")
        try await worker.deletion.delete(key, deadline: .soon)
        try await worker.deletion.delete(key, deadline: .soon)
        #expect(await code { _ = try await worker.facts("videos/1") } == .notFound)
        #expect(worker.catalogue.events.map(\.name) == ["storage.object.deleted"])
        #expect(try await worker.bytes(facts) == pattern(1_000))
        try await worker.collect(later: 700)
        #expect(worker.old.files.isEmpty)
        #expect(try worker.entry("videos/1") != nil, "its event has not been told yet")
        worker.catalogue.tellEvents()
        try await worker.collect(later: 700)
        #expect(try worker.entry("videos/1") == nil)
        #expect(await code { _ = try await worker.bytes(facts) } == .notFound)
    }

    @Test func anAdoptedFileOfADeletedVideoIsDeletedAndNotAdoptedAgain() async throws {
        let worker = try WorkerFixture()
        try worker.old.write(pattern(10), to: "film.mp4")
        // Nobody has asked for it yet.
        try await worker.deletion.delete(StorageKey("film.mp4"), deadline: .soon)
        #expect(await code { _ = try await worker.facts("film.mp4") } == .notFound)
        try await worker.collect(later: 700)
        #expect(worker.old.files.isEmpty)
    }

    @Test func aFileThatWasExchangedAfterItWasDeletedIsLeft() async throws {
        let worker = try WorkerFixture()
        try worker.old.write(pattern(10), to: "film.mp4")
        try await worker.deletion.delete(StorageKey("film.mp4"), deadline: .soon)
        worker.catalogue.tellEvents()
        try worker.old.write(pattern(20, seed: 3), to: "film.mp4")
        try await worker.collect(later: 700)
        #expect(worker.old.files == ["film.mp4"])
        #expect(try await worker.bytes(worker.facts("film.mp4")) == pattern(20, seed: 3))
    }

    @Test func aDeletedObjectCanBeUploadedAnew() async throws {
        let worker = try WorkerFixture()
        try await worker.upload("videos/1", pattern(10))
        try await worker.deletion.delete(StorageKey("videos/1"), deadline: .soon)
        let facts = try await worker.upload("videos/1", pattern(20, seed: 2))
        try await worker.collect(later: 700)
        #expect(try await worker.bytes(worker.facts("videos/1")) == pattern(20, seed: 2))
        #expect(try await worker.facts("videos/1") == facts)
        #expect(worker.old.files.count == 1)
    }

    @Test func aFileThatIsPutInThePlaceOfADeletedOneIsThereAtOnce() async throws {
        let worker = try WorkerFixture()
        try worker.old.write(pattern(10), to: "film.mp4")
        let before = try await worker.facts("film.mp4")
        try await worker.deletion.delete(StorageKey("film.mp4"), deadline: .soon)
        #expect(await code { _ = try await worker.facts("film.mp4") } == .notFound)
        try worker.old.write(pattern(20, seed: 3), to: "film.mp4")
        let after = try await worker.facts("film.mp4")
        #expect(after.version != before.version)
        #expect(try await worker.bytes(after) == pattern(20, seed: 3))
        try await worker.collect(later: 700)
        #expect(try await worker.bytes(worker.facts("film.mp4")) == pattern(20, seed: 3))
        #expect(try worker.entry("film.mp4")?.retired == [])
    }
}
