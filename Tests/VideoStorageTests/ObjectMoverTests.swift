import Domain
import Foundation
import NIOCore
import Synchronization
import Testing

@testable import VideoStorage

@Suite(.timeLimit(.minutes(1))) struct ObjectMoverTests {
    @Test func aMovedObjectKeepsItsVersionAndIsReadWithoutAFailure() async throws {
        let worker = try WorkerFixture()
        let bytes = pattern(3_000_000)
        let facts = try await worker.upload("videos/1", bytes)
        #expect(try await worker.bytes(facts) == bytes)
        #expect(try await worker.move("videos/1") == .moved)
        let entry = try #require(try worker.entry("videos/1"))
        #expect(entry.provider == WorkerFixture.new && entry.version == facts.version)
        #expect(try await worker.bytes(facts) == bytes)
        // This worker still remembers the old place, which goes now.
        try await worker.collect(later: 700)
        #expect(worker.old.files.isEmpty)
        #expect(worker.new.files == ["\(entry.location)"])
        #expect(try await worker.bytes(facts) == bytes)
        #expect(try await worker.facts("videos/1") == facts)
        #expect(try await worker.move("videos/1") == .alreadyThere)
        #expect(worker.register.all.allSatisfy { $0.purpose == .content })
    }

    @Test func aFileThatWasPutThereByHandMovesWithAChecksum() async throws {
        let worker = try WorkerFixture()
        try worker.old.write(pattern(5_000), to: "Ünïcödé 100%.mp4")
        let facts = try await worker.facts("Ünïcödé 100%.mp4")
        #expect(try await worker.move("Ünïcödé 100%.mp4") == .moved)
        #expect(try worker.entry("Ünïcödé 100%.mp4")?.checksum == sha256(pattern(5_000)))
        try await worker.collect(later: 700)
        #expect(worker.old.files.isEmpty)
        #expect(try await worker.bytes(facts) == pattern(5_000))
        #expect(try await worker.facts("Ünïcödé 100%.mp4") == facts)
    }

    @Test func anEmptyObjectMoves() async throws {
        let worker = try WorkerFixture()
        let facts = try await worker.upload("videos/1", [])
        #expect(try await worker.move("videos/1") == .moved)
        #expect(try await worker.facts("videos/1") == facts)
    }

    @Test func anObjectWhoseBytesAreNotThoseOfItsChecksumStays() async throws {
        let worker = try WorkerFixture()
        try await worker.upload("videos/1", pattern(1_000))
        var entry = try #require(try worker.entry("videos/1"))
        entry.checksum = sha256(pattern(1_000, seed: 9))
        worker.catalogue.overwrite(entry)
        #expect(await code { _ = try await worker.move("videos/1") } == .corrupt)
        #expect(try worker.entry("videos/1") == entry)
        try await worker.collect(later: 700)
        #expect(worker.new.files.isEmpty)
    }

    @Test func anObjectInAnotherProviderThanTheOneThatIsClearedStays() async throws {
        let worker = try WorkerFixture()
        try await worker.upload("videos/1", pattern(10))
        let move = ObjectMove(
            key: try StorageKey("videos/1"), source: "other", target: "other", bytesPerSecond: nil)
        #expect(try await worker.administration.move(move, deadline: .soon) == .elsewhere)
        let unknown = ObjectMove(key: move.key, source: nil, target: "tape", bytesPerSecond: nil)
        #expect(await code { _ = try await worker.administration.move(unknown, deadline: .soon) } == .invalidArgument)
    }

    @Test func twentyMoversAtOnceLeaveOneCopy() async throws {
        let worker = try WorkerFixture()
        let facts = try await worker.upload("videos/1", pattern(100_000))
        let outcomes = try await withThrowingTaskGroup(of: MoveOutcome.self) { group in
            let move = ObjectMove(
                key: facts.key, source: nil, target: WorkerFixture.new.description, bytesPerSecond: nil)
            for _ in 1...20 { group.addTask { try await worker.mover().move(move) } }
            return try await group.reduce(into: [MoveOutcome]()) { $0.append($1) }
        }
        #expect(outcomes.count { $0 == .moved } == 1)
        try await worker.collect(later: 700)
        #expect(worker.new.files.count == 1 && worker.old.files.isEmpty)
        #expect(try await worker.bytes(facts) == pattern(100_000))
    }

    @Test func callsAtOnceOfOneWorkerAreOneMove() async throws {
        let worker = try WorkerFixture()
        try await worker.upload("videos/1", pattern(100_000))
        let outcomes = try await withThrowingTaskGroup(of: MoveOutcome.self) { group in
            for _ in 1...20 { group.addTask { try await worker.move("videos/1") } }
            return try await group.reduce(into: [MoveOutcome]()) { $0.append($1) }
        }
        #expect(outcomes.contains(.moved) && outcomes.allSatisfy { $0 == .moved || $0 == .alreadyThere })
        #expect(worker.new.files.count == 1)
    }

    @Test func itIsNotedThatAMoveGoesOnWhileItCopiesAndWhileItReadsBack() async throws {
        let worker = try WorkerFixture()
        let facts = try await worker.upload("videos/1", pattern(9_000_000))
        // Two seconds pass each time somebody looks at the clock.
        let ticks = Atomic(0)
        let mover = worker.mover {
            Date(timeIntervalSince1970: 1_800_000_000 + 2 * Double(ticks.add(1, ordering: .relaxed).newValue))
        }
        let move = ObjectMove(
            key: facts.key, source: nil, target: WorkerFixture.new.description, bytesPerSecond: nil)
        #expect(try await mover.move(move) == .moved)
        let notes = worker.register.notes
        #expect(notes == notes.sorted() && notes.last == facts.size)
        #expect(notes.contains { $0 < facts.size / 2 } && notes.contains { $0 > facts.size / 2 && $0 < facts.size })
    }

    @Test func aMoveThatGoesOnAtAnotherWorkerIsWaitedForAndOneThatHasStoppedIsBegunAnew() async throws {
        let worker = try WorkerFixture()
        let facts = try await worker.upload("videos/1", pattern(1_000))
        let id = UploadID.random()
        let location = try Upload.location(of: id, for: .move)
        let elsewhere = Upload(
            id: id, key: facts.key, purpose: .move, expectation: nil, provider: WorkerFixture.new, location: location,
            handle: .none, contentType: nil, announcedSize: facts.size, state: .open, createdAt: Date(),
            touchedAt: Date())
        _ = try await worker.register.enter(elsewhere, deadline: .soon)
        let move = ObjectMove(
            key: facts.key, source: nil, target: WorkerFixture.new.description, bytesPerSecond: nil, isContinued: true)
        // A second of the call's time is for waiting, the rest for the answer.
        let first = try await worker.administration.move(move, deadline: .after(.seconds(6)))
        #expect(first == .underWay)
        #expect(worker.register.all.count { $0.purpose == .move } == 1 && worker.new.files.isEmpty)
        try await worker.register.touch(
            id, at: Date().addingTimeInterval(-600), copiedBytes: nil, deadline: .soon)
        #expect(try await worker.administration.move(move, deadline: .soon) == .moved)
        #expect(try await worker.bytes(facts) == pattern(1_000))
    }

    @Test func aLowRateIsKeptInPiecesThatAreSeenToGoOn() async throws {
        let worker = try WorkerFixture()
        try await worker.upload("videos/1", pattern(300_000))
        let entry = try #require(try worker.entry("videos/1"))
        var reader = BlobReader(
            worker.providers.primary, entry.location, validator: entry.validator, size: entry.size,
            bytesPerSecond: 1_000_000)
        #expect(try await reader.next(upTo: 4_000_000)?.readableBytes == 300_000)
        reader = BlobReader(
            worker.providers.primary, entry.location, validator: entry.validator, size: entry.size,
            bytesPerSecond: 50_000)
        #expect(try await reader.next(upTo: 4_000_000)?.readableBytes == 50_000)
    }

    @Test func blobsThatNobodyHasAskedForAreAdoptedToBeMoved() async throws {
        let worker = try WorkerFixture()
        for number in 0..<5 { try worker.new.write(pattern(10 + number), to: "films/\(number).mp4") }
        try worker.new.write(pattern(10), to: "uploads/0123456789abcdef0123456789abcdef")
        let page = try await worker.administration.adopt(in: "other", after: nil, deadline: .soon)
        #expect(page.adopted.map(\.description) == (0..<5).map { "films/\($0).mp4" })
        #expect(try await worker.administration.adopt(in: "other", after: nil, deadline: .soon).adopted.isEmpty)
        #expect(try await worker.move("films/3.mp4", to: .filesystem) == .moved)
        #expect(try await worker.bytes(worker.facts("films/3.mp4")) == pattern(13))
    }

    @Test func aKeyWithoutAnEntryIsLookedForInEveryProvider() async throws {
        let worker = try WorkerFixture()
        try worker.new.write(pattern(77), to: "film.mp4")
        #expect(try await worker.bytes(worker.facts("film.mp4")) == pattern(77))
        #expect(try worker.entry("film.mp4")?.provider == WorkerFixture.new)
    }

    @Test func aKeyThatOneProviderRefusesMayBeInAnother() async throws {
        let worker = try WorkerFixture()
        let outside = try TemporaryDirectory()
        try outside.write(pattern(5), to: "film.mp4")
        try worker.old.link("out", to: outside.path)
        #expect(await code { _ = try await worker.facts("out/film.mp4") } == .invalidArgument)
        try worker.new.write(pattern(77), to: "out/film.mp4")
        #expect(try await worker.bytes(worker.facts("out/film.mp4")) == pattern(77))
    }

    @Test func verifyingFindsWhatIsNotWell() async throws {
        let worker = try WorkerFixture()
        func condition(_ key: String) async throws -> VerifiedObject.Condition {
            try await worker.administration.verify(StorageKey(key), bytesPerSecond: nil, deadline: .soon).condition
        }
        try await worker.upload("videos/1", pattern(1_000))
        #expect(try await condition("videos/1") == .intact)
        let location = try #require(try worker.entry("videos/1")).location
        var damaged = pattern(1_000)
        damaged[500] ^= 1
        try worker.old.write(damaged, to: location.description)
        #expect(try await condition("videos/1") == .damaged)
        try worker.old.write(pattern(999), to: location.description)
        #expect(try await condition("videos/1") == .damaged)
        try worker.old.remove(location.description)
        #expect(try await condition("videos/1") == .missing)
        try worker.old.write(pattern(10), to: "film.mp4")
        _ = try await worker.facts("film.mp4")
        #expect(try await condition("film.mp4") == .unchecked)
        #expect(await code { _ = try await condition("nothing") } == .notFound)
    }

    @Test func theRateIsKept() {
        let start = ContinuousClock.now
        var pacer = Pacer(bytesPerSecond: 1_000, now: start)
        let first = pacer.took(500, now: start)
        #expect(first == start + .milliseconds(500))
        let second = pacer.took(500, now: start + .milliseconds(100))
        #expect(second == start + .seconds(1))
        // A rest is made up for by one second's worth, not by more.
        let later = start + .seconds(100)
        let third = pacer.took(1_000, now: later)
        #expect(third == later)
        let fourth = pacer.took(1_000, now: later)
        #expect(fourth == later + .seconds(1))
        var free = Pacer(bytesPerSecond: nil, now: start)
        let fifth = free.took(1 << 40, now: start)
        #expect(fifth == start)
    }
}
