import Domain
import Foundation
import RPC
import Testing

@testable import VideoStorage

@Suite(.timeLimit(.minutes(1))) struct CollectorTests {
    @Test func anAbandonedUploadIsGivenUpAndItsBytesAreDeleted() async throws {
        let worker = try WorkerFixture()
        let finished = try await worker.begin("videos/1", pattern(3_000_000))
        try await worker.collect(later: 3_500)
        #expect(!worker.old.files.isEmpty)
        let counts = try await worker.collect(later: 3_700)
        #expect(counts.abandonedUploads == 1)
        #expect(await code { _ = try await worker.uploads.commit(finished, deadline: .soon) } == .notFound)
        try await worker.collect(later: 4_400)
        #expect(worker.old.files.isEmpty)
        #expect(worker.register.all.isEmpty)
    }

    @Test func aFileThatWasPutThereByHandIsNeverCollected() async throws {
        let worker = try WorkerFixture()
        try worker.old.write(pattern(10), to: "never-asked-for.mp4")
        try worker.old.write(pattern(10), to: "uploads/readme.txt")
        try worker.old.write(pattern(10), to: "film.mp4")
        let files = worker.old.files
        for file in files { try worker.old.age(file, seconds: 1_000_000) }
        _ = try await worker.facts("film.mp4")
        try await worker.collect(later: 1_000_000)
        let page = try await worker.administration.orphans(
            OrphanSearch(provider: "filesystem", cursor: nil, deletes: true), deadline: .soon)
        #expect(page.orphans.isEmpty)
        #expect(worker.old.files == files)
    }

    @Test func whatNothingNamesIsReportedFirstAndDeletedOnRequest() async throws {
        let worker = try WorkerFixture()
        try await worker.upload("videos/1", pattern(100))
        let orphan = "uploads/0123456789abcdef0123456789abcdef"
        let young = "moved/0123456789abcdef0123456789abcdef"
        try worker.old.write(pattern(50), to: orphan)
        try worker.old.write(pattern(60), to: young)
        try worker.old.age(orphan, seconds: 4_000)
        let all = worker.old.files
        for deletes in [false, true] {
            var found: [String] = []
            var cursor: String?
            repeat {
                let page = try await worker.administration.orphans(
                    OrphanSearch(provider: "filesystem", cursor: cursor, deletes: deletes), deadline: .soon)
                found += page.orphans.map(\.location.description)
                cursor = page.next
            } while cursor != nil
            #expect(found == [orphan])
            #expect(worker.old.files == (deletes ? all.subtracting([orphan]) : all))
        }
        #expect(try await worker.bytes(worker.facts("videos/1")) == pattern(100))
    }

    @Test func anUploadThatWasBegunAndNeverNotedIsGivenUp() async throws {
        let worker = try WorkerFixture()
        let noted = try await worker.begin("videos/1", pattern(100))
        // As a worker leaves it that dies in the middle of a begin.
        let half = "0123456789abcdef0123456789abcdef"
        for location in ["uploads/\(half)", "moved/\(half)", "checksums/\(half)\(half)", "checksums/\(half)"] {
            for provider in worker.providers.all {
                _ = try await provider.begin(StorageKey(location), contentType: nil, deadline: .soon)
            }
        }
        #expect(await worker.collector.giveUpUnnamed(now: Date()) == 0)
        #expect(worker.old.files.count == 5 && worker.new.files.count == 4)
        #expect(await worker.collector.giveUpUnnamed(now: Date().addingTimeInterval(3_700)) == 6)
        // The last one's name is none that this service gives.
        #expect(worker.old.files.count == 2 && worker.new.files.count == 1)
        _ = try await worker.uploads.commit(noted, deadline: .soon)
        #expect(try await worker.bytes(worker.facts("videos/1")) == pattern(100))
    }

    @Test func theBlobOfAnAbandonedCommitThatWasNamedStays() async throws {
        let worker = try WorkerFixture()
        let finished = try await worker.begin("videos/1", pattern(1_000))
        let facts = try await worker.uploads.commit(finished, deadline: .soon)
        // As if its worker had died before it noted that the version was named.
        let upload = try #require(worker.register.all.first)
        try await worker.register.remove(upload.id, in: .committed, deadline: .soon)
        var stuck = upload
        stuck.state = .committing
        _ = try await worker.register.enter(stuck, deadline: .soon)
        try await worker.collect(later: 3_700)
        try await worker.collect(later: 5_000)
        #expect(try await worker.bytes(facts) == pattern(1_000))
        #expect(worker.register.all.map(\.state) == [.committed])
    }

    @Test func aBlobThatMayBeNamedYetStaysHoweverShortRetiredOnesDo() async throws {
        var rules = CollectionRules()
        rules.retiredSeconds = 0
        let worker = try WorkerFixture(rules: rules)
        let finished = try await worker.begin("videos/1", pattern(1_000))
        let upload = try #require(worker.register.all.first)
        // A worker has put it together and is about to name it, when it is given up.
        _ = try await worker.providers.primary.commit(
            upload.handle, at: upload.location, blocks: finished.blocks, contentType: nil, deadline: .soon)
        try await worker.uploads.abort(upload.id, deadline: .soon)
        try await worker.collect(later: Upload.namingSeconds)
        #expect(worker.old.files == ["\(upload.location)"])
        try await worker.collect(later: 3 * Upload.namingSeconds + 1)
        #expect(worker.old.files.isEmpty)
    }

    @Test func whatLiesInAProviderThatIsGoneDoesNotStandInTheWay() async throws {
        let worker = try WorkerFixture()
        let gone = ProviderName("gone")
        try await worker.upload("videos/kept", pattern(10))
        let kept = try #require(try worker.entry("videos/kept"))
        for number in 0..<150 {
            var entry = kept
            entry.key = try StorageKey("films/\(number)")
            var left = entry
            left.provider = gone
            entry.retired = [RetiredBlob(left, since: Date(timeIntervalSince1970: 0))]
            worker.catalogue.overwrite(entry)
            var upload = try #require(worker.register.all.first)
            upload.id = .random()
            upload.provider = gone
            upload.state = .aborted
            upload.touchedAt = Date(timeIntervalSince1970: 0)
            _ = try await worker.register.enter(upload, deadline: .soon)
        }
        try await worker.upload("videos/replaced", pattern(10, seed: 1))
        try await worker.upload("videos/replaced", pattern(10, seed: 2))
        let abandoned = try await worker.begin("videos/abandoned", pattern(10))
        try await worker.uploads.abort(abandoned.id, deadline: .soon)
        let counts = try await worker.collect(later: 700)
        #expect(counts.deletedBlobs == 1 && counts.failures == 0)
        #expect(worker.old.files.count == 2)
        #expect(!worker.register.all.contains { $0.id == abandoned.id })
    }

    @Test func whatAMachineThatDiedHasLeftOfACommitIsRemovedInTheEnd() async throws {
        let worker = try WorkerFixture()
        try await worker.upload("videos/1", pattern(10))
        let location = try #require(try worker.entry("videos/1")).location
        // Its removal was not on the disk yet.
        try FileManager.default.linkItem(
            atPath: "\(worker.old.path)/\(location)", toPath: "\(worker.old.path)/.millrace-uploads/\(location)")
        try await worker.collect(later: 90_000)
        #expect(worker.old.files == ["\(location)"])
        #expect(try await worker.bytes(worker.facts("videos/1")) == pattern(10))
        #expect(worker.register.all.isEmpty)
    }

    @Test(arguments: [(1, 0.25), (60, 15), (3_600, 60), (86_400, 60)])
    func anUploadThatIsFilledIsMarkedWellBeforeItCountsAsAbandoned(abandonedSeconds: Int, seconds: TimeInterval) {
        var rules = CollectionRules()
        rules.abandonedSeconds = abandonedSeconds
        #expect(rules.touchSeconds == seconds)
    }
}
