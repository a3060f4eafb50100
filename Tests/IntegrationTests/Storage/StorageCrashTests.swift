import Domain
import Foundation
import RPC
import Testing

@testable import VideoStorage

/// A worker is killed between any two of its steps, and another one goes on: on a real database and real files.
@Suite(.timeLimit(.minutes(5))) struct StorageCrashTests {
    private func bytes(_ count: Int, seed: UInt8 = 1) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 31) ^ ($0 >> 8)) &+ seed }
    }

    /// Kills a worker at its first step, at its second, and so on, before and after the step is carried out, until it
    /// comes to its end alive.
    private func everyFate(_ body: (Fate) async throws -> Void) async throws {
        var step = 0
        var hasLived = false
        while !hasLived {
            step += 1
            for isCarriedOut in [false, true] {
                let fate = Fate(fatalStep: step, isCarriedOut: isCarriedOut)
                try await body(fate)
                if !fate.isDead { hasLived = true }
            }
        }
        // A worker that has no steps would show nothing.
        #expect(step > 4)
    }

    @Test func aCommitThatWasKilledAnywhereIsFinishedByAnotherWorker() async throws {
        try await CrashFixture.with { fixture in
            let worker = fixture.worker()
            var number = 0
            try await everyFate { fate in
                number += 1
                let key = "videos/\(number)"
                _ = try await worker.uploads.commit(worker.begin(key, bytes(100, seed: 7)), deadline: .ample)
                let content = bytes(1_100_000)
                let finished = try await worker.begin(key, content)
                let dying = fixture.worker(fate)
                _ = try? await dying.uploads.commit(finished, deadline: .ample)
                let facts = try await worker.uploads.commit(finished, deadline: .ample)
                #expect(facts.version.description == finished.id.description)
                #expect(try await worker.storage.stat(facts.key, deadline: .ample) == facts)
                #expect(try await worker.uploads.commit(finished, deadline: .ample) == facts)
                #expect(try await worker.bytes(key) == content)
                let events = try await fixture.tellEvents()
                #expect(events.count == 2, "one for each version, whoever has died")
                #expect(events.contains { $0.id.contains(finished.id.description) })
            }
            try await fixture.collectEverything()
            #expect(fixture.files().count == number)
            for video in 1...number { #expect(try await worker.bytes("videos/\(video)") == bytes(1_100_000)) }
        }
    }

    @Test func aCommitThatNobodyFinishesIsSeenWholeOrNotAtAllAndLeavesNothing() async throws {
        try await CrashFixture.with { fixture in
            let worker = fixture.worker()
            var number = 0
            var seen = 0
            try await everyFate { fate in
                number += 1
                let key = "videos/\(number)"
                let content = bytes(1_100_000, seed: 3)
                let finished = try await worker.begin(key, content)
                let dying = fixture.worker(fate)
                _ = try? await dying.uploads.commit(finished, deadline: .ample)
                guard let found = try? await worker.bytes(key) else { return }
                seen += 1
                #expect(found == content)
            }
            let told = try await fixture.tellEvents()
            #expect(told.count == seen && seen > 0 && seen < number)
            try await fixture.collectEverything()
            #expect(fixture.files().count == seen)
        }
    }

    @Test func anUploadThatWasKilledOnItsWayLeavesNothing() async throws {
        try await CrashFixture.with { fixture in
            try await everyFate { fate in
                let id = UploadID.random()
                let dying = fixture.worker(fate)
                _ = try? await dying.begin("videos/1", bytes(2_100_000), id: id)
                // Begun again under its id by who has waited for it.
                let worker = fixture.worker()
                let finished = try await worker.begin("videos/1", bytes(2_100_000), id: id)
                #expect(finished.blocks.count == 3)
                try? await dying.uploads.abort(id, deadline: .ample)
            }
            try await fixture.collectEverything()
            #expect(fixture.files().isEmpty)
            #expect(await failureCode { _ = try await fixture.worker().bytes("videos/1") } == .notFound)
        }
    }

    @Test func anAbortThatWasKilledAnywhereLeavesNothing() async throws {
        try await CrashFixture.with { fixture in
            let worker = fixture.worker()
            try await Self.someFates(3) { fate in
                let finished = try await worker.begin("videos/1", bytes(1_100_000))
                let dying = fixture.worker(fate)
                try? await dying.uploads.abort(finished.id, deadline: .ample)
            }
            try await fixture.collectEverything()
            #expect(fixture.files().isEmpty)
        }
    }

    private static func someFates(_ count: Int, _ body: (Fate) async throws -> Void) async throws {
        for step in 1...count {
            for isCarriedOut in [false, true] { try await body(Fate(fatalStep: step, isCarriedOut: isCarriedOut)) }
        }
    }

    @Test func aMoveThatWasKilledAnywhereIsMadeAgainAndNoByteIsLost() async throws {
        try await CrashFixture.with { fixture in
            let worker = fixture.worker()
            var number = 0
            try await everyFate { fate in
                number += 1
                let key = "videos/\(number)"
                let content = bytes(2_100_000, seed: 5)
                let facts = try await worker.uploads.commit(worker.begin(key, content), deadline: .ample)
                let dying = fixture.worker(fate)
                _ = try? await dying.move(key)
                #expect(try await worker.bytes(key) == content)
                let outcome = try await worker.move(key)
                #expect(outcome == .moved || outcome == .alreadyThere)
                #expect(try await worker.bytes(key) == content)
                #expect(try await worker.storage.stat(facts.key, deadline: .ample) == facts)
            }
            try await fixture.collectEverything()
            let files = fixture.files()
            #expect(files.count == number && files.allSatisfy { $0.hasPrefix("new/moved/") })
            for video in 1...number { #expect(try await worker.bytes("videos/\(video)") == bytes(2_100_000, seed: 5)) }
        }
    }

    @Test func aDeletionThatWasKilledAnywhereIsMadeAgain() async throws {
        try await CrashFixture.with { fixture in
            let worker = fixture.worker()
            var number = 0
            try await Self.someFates(6) { fate in
                number += 1
                let key = "videos/\(number)"
                _ = try await worker.uploads.commit(worker.begin(key, bytes(1_000)), deadline: .ample)
                _ = try await fixture.tellEvents()
                let dying = fixture.worker(fate)
                try? await dying.deletion.delete(StorageKey(key), deadline: .ample)
                try await worker.deletion.delete(StorageKey(key), deadline: .ample)
                #expect(try await fixture.tellEvents().map(\.name) == ["storage.object.deleted"])
                #expect(await failureCode { _ = try await worker.bytes(key) } == .notFound)
            }
            try await fixture.collectEverything()
            #expect(fixture.files().isEmpty)
            #expect(try await fixture.catalogue.entries(after: nil, limit: 10, deadline: .ample).entries.isEmpty)
        }
    }

    @Test func aCollectorThatWasKilledAnywhereIsFollowedByAnotherAndTakesNothingThatIsNeeded() async throws {
        try await CrashFixture.with { fixture in
            let worker = fixture.worker()
            try await everyFate { fate in
                for seed: UInt8 in 1...2 {
                    let finished = try await worker.begin("videos/kept", bytes(1_000, seed: seed))
                    _ = try await worker.uploads.commit(finished, deadline: .ample)
                }
                _ = try await worker.begin("videos/abandoned", bytes(1_000))
                _ = try await worker.uploads.commit(worker.begin("videos/gone", bytes(1_000)), deadline: .ample)
                try await worker.deletion.delete(StorageKey("videos/gone"), deadline: .ample)
                _ = try await fixture.tellEvents()
                let dying = fixture.worker(fate)
                _ = try? await dying.collector.collect(now: Date().addingTimeInterval(90_000))
                #expect(try await worker.bytes("videos/kept") == bytes(1_000, seed: 2))
                try await fixture.collectEverything()
                #expect(fixture.files().count == 1)
                #expect(try await worker.bytes("videos/kept") == bytes(1_000, seed: 2))
            }
        }
    }

    @Test func twoUploadsAtOnceByManyWorkersEndWithOneVersion() async throws {
        try await CrashFixture.with { fixture in
            let worker = fixture.worker()
            for round in 1...10 {
                var uploads: [FinishedUpload] = []
                for seed: UInt8 in 1...4 {
                    uploads.append(try await worker.begin("videos/1", bytes(5_000, seed: seed)))
                }
                let outcomes = await withTaskGroup(of: (Int, ServiceError.Code?).self) { group in
                    for (number, upload) in uploads.enumerated() {
                        for _ in 1...3 {
                            group.addTask {
                                let outcome = await failureCode {
                                    _ = try await fixture.worker().uploads.commit(upload, deadline: .ample)
                                }
                                return (number, outcome)
                            }
                        }
                    }
                    return await group.reduce(into: [Int: [ServiceError.Code?]]()) {
                        $0[$1.0, default: []].append($1.1)
                    }
                }
                let winners = outcomes.filter { $0.value == [nil, nil, nil] }.map(\.key)
                #expect(winners.count == 1, "round \(round)")
                #expect(outcomes.values.count { $0 == [.conflict, .conflict, .conflict] } == 3, "round \(round)")
                let winner = try #require(winners.first)
                #expect(try await worker.bytes("videos/1") == bytes(5_000, seed: UInt8(winner + 1)))
                #expect(try await fixture.tellEvents().count == 1)
            }
        }
    }
}
