import Mongo
import NIOCore
import TestKit
import Testing

extension EndToEndTests {
    /// Commands are done once, however often whoever does them is killed and whoever asks asks again.
    struct CommandKillTests {
        private static let seed: UInt64 = 20_262
        private static var kills: Int { TestEnvironment.longTestsAreWanted ? 100 : 12 }
        private static let clients = 8

        /// A record as its client knows it.
        private struct Known: Sendable {
            var id: String
            var title: String
            var revision: Int64
            var isDeleted = false
        }

        @Test func killsAtRandomMomentsDoNoCommandTwiceAndLoseNone() async throws {
            let layout = TestStack.Layout(metadataWorkers: 2, hasPrivateDatabase: true)
            try await TestStack.running(layout) { stack in
                tellFigure("the seed of the kills is \(Self.seed)")
                let (tally, isOver) = (Tally(), Shared(false))
                let client = WritingClient(port: try stack.gateway().port)
                let known = try await withThrowingTaskGroup(of: [Known].self) { group in
                    for number in 1...Self.clients {
                        group.addTask { try await self.change(number, client, tally, until: isOver) }
                    }
                    group.addTask {
                        defer { isOver.change { $0 = true } }
                        // Mostly metadata workers; the gateway, too, so that answers to commands that were done are lost.
                        let victims: [RandomKills.Victim] = [.metadata, .metadata, .metadata, .gateway, .database]
                        var kills = RandomKills(stack, victims, seed: Self.seed)
                        kills.pause = .milliseconds(20) ... .milliseconds(300)
                        try await kills.run(Self.kills) {}
                        tellFigure("killed: \(kills.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" })")
                        return []
                    }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
                tellFigure(tally.text)
                #expect(tally.count("answers lost") > 0)
                try await expectDoneOnce(stack, known)
            }
        }

        /// Makes, changes and deletes records, one command after the other, each repeated until it is answered.
        private func change(
            _ number: Int, _ client: WritingClient, _ tally: Tally, until isOver: Shared<Bool>
        ) async throws -> [Known] {
            var random = SeededRandom(seed: Self.seed &* 1_000 &+ UInt64(number))
            var known: [Known] = []
            while !isOver.value {
                let living = known.indices.filter { !known[$0].isDeleted }
                let dice = Int.random(in: 0..<10, using: &random)
                if living.isEmpty || dice < 3 {
                    known.append(try await create("\(number)-\(known.count)", client, tally))
                } else if let index = living.randomElement(using: &random) {
                    if dice == 3 {
                        try await delete(&known[index], client, tally)
                    } else {
                        try await rename(&known[index], "\(number)-\(random.next())", client, tally)
                    }
                }
            }
            return known
        }

        private func create(_ title: String, _ client: WritingClient, _ tally: Tally) async throws -> Known {
            let key = "Idempotency-Key: \(Self.seed)-\(title)"
            let (response, lost) = try await client.persistently { client in
                try await client.send("POST", "/videos", json: #"{"title": "\#(title)"}"#, [key])
            }
            try #require(response.status == 201, "POST \(title): \(response.status) \(response.text)")
            let video = try response.json(VideoFacts.self)
            #expect(video.title == title && video.revision == 1)
            tally.note("created", lost)
            return Known(id: video.id, title: title, revision: video.revision)
        }

        private func rename(
            _ video: inout Known, _ title: String, _ client: WritingClient, _ tally: Tally
        ) async throws {
            let (id, condition) = (video.id, "If-Match: \"\(video.revision)\"")
            let (response, lost) = try await client.persistently { client in
                try await client.send("PATCH", "/videos/\(id)", json: #"{"title": "\#(title)"}"#, [condition])
            }
            // An attempt whose answer was lost has been done before; the next one finds another revision then.
            let isKnown = response.status == 200 || (response.status == 412 && lost > 0)
            try #require(isKnown, "PATCH \(id), \(lost) lost before: \(response.status) \(response.text)")
            if response.status == 200 {
                #expect(response["etag"] == "\"\(video.revision + 1)\"")
            } else {
                tally.note("done before the answer was lost")
            }
            video.revision += 1
            video.title = title
            tally.note("changed", lost)
        }

        private func delete(_ video: inout Known, _ client: WritingClient, _ tally: Tally) async throws {
            let (id, condition) = (video.id, "If-Match: \"\(video.revision)\"")
            let (response, lost) = try await client.persistently { client in
                try await client.send("DELETE", "/videos/\(id)", [condition])
            }
            // The deleted record stays for a while, with another revision.
            let isKnown = response.status == 204 || ([404, 412].contains(response.status) && lost > 0)
            try #require(isKnown, "DELETE \(id), \(lost) lost before: \(response.status) \(response.text)")
            if response.status != 204 { tally.note("done before the answer was lost") }
            video.revision += 1
            video.isDeleted = true
            tally.note("deleted", lost)
        }

        private func expectDoneOnce(_ stack: TestStack, _ known: [Known]) async throws {
            try await eventually("all events have been told", within: .seconds(30)) {
                try await stack.remains().pendingEvents == 0
            }
            let records = try await stack.documents("videos", of: .metadata)
            #expect(records.count == known.count)
            let stored = Dictionary(uniqueKeysWithValues: records.map { ($0.text("_id"), $0) })
            for video in known {
                let record = try #require(stored[video.id], "\(video) is lost")
                #expect(record["revision"] == .int64(video.revision), "\(video)")
                #expect(record.text("title") == video.title, "\(video)")
                #expect((record.text("state") == "deleted") == video.isDeleted, "\(video)")
            }
        }
    }
}

extension Tally {
    /// Something that was done, and how many answers to it were lost before.
    fileprivate func note(_ what: String, _ lost: Int) {
        note(what)
        if lost > 0 { note("answers lost") }
    }
}
