import NIOCore
import TestKit
import Testing

extension EndToEndTests {
    /// Whatever is killed at whatever moment of an upload: what was acknowledged is there whole, what was not leaves nothing.
    struct UploadKillTests {
        private static let seed: UInt64 = 20_261
        private static var kills: Int { TestEnvironment.longTestsAreWanted ? 200 : 12 }
        private static let uploaders = 6
        /// Short, so that what is left behind can be waited for.
        private static let gatewaySettings = ["STALL_SECONDS": "20", "UPLOAD_COMMIT_SECONDS": "20"]
        private static let storageSettings = [
            "ABANDONED_UPLOAD_SECONDS": "45", "RETIRED_BLOB_SECONDS": "3", "COLLECT_SECONDS": "1",
        ]

        @Test func killsAtRandomMomentsLoseNothingAndLeaveNothing() async throws {
            let layout = TestStack.Layout(
                storageWorkers: 2, gatewaySettings: Self.gatewaySettings, storageSettings: Self.storageSettings,
                hasPrivateDatabase: true)
            try await TestStack.running(layout) { stack in
                tellFigure("the seed of the kills is \(Self.seed)")
                let start = ContinuousClock.now
                let films = try await uploadAndKill(stack)
                tellFigure("\(Self.kills) kills took \(start.duration(to: .now))")
                try await expectPromisesKept(stack, films)
            }
        }

        private func uploadAndKill(_ stack: TestStack) async throws -> [Film] {
            let client = WritingClient(port: try stack.gateway().port)
            let (tally, underWay, isOver) = (Tally(), Shared(0), Shared(false))
            let films = try await withThrowingTaskGroup(of: [Film].self) { group in
                for number in 1...Self.uploaders {
                    group.addTask {
                        var uploader = RandomUploader(
                            number, client, seed: Self.seed, tally, underWay: underWay)
                        try await uploader.run(until: isOver)
                        return uploader.films
                    }
                }
                group.addTask {
                    defer { isOver.change { $0 = true } }
                    var kills = RandomKills(stack, RandomKills.Victim.allCases, seed: Self.seed)
                    try await kills.run(Self.kills) {
                        if underWay.value > 0 { tally.note("kills in the middle of uploads") }
                    }
                    tellFigure("killed: \(kills.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" })")
                    return []
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            tellFigure(tally.text)
            // Else this test has shown nothing.
            #expect(tally.count("kills in the middle of uploads") >= Self.kills / 2)
            #expect(tally.count("acknowledged") >= Self.kills)
            return films
        }

        private func expectPromisesKept(_ stack: TestStack, _ films: [Film]) async throws {
            // What was abandoned is given up at once now.
            for worker in stack.all(.storage) {
                try await stack.start(.storage, ["ABANDONED_UPLOAD_SECONDS": "1"]).ready()
                #expect(try await worker.stop() == .code(0))
            }
            let start = ContinuousClock.now
            try await stack.expectNothingLeft()
            tellFigure("nothing was left \(start.duration(to: .now)) after the last upload")
            let client = WritingClient(port: try stack.gateway().port)
            let listed = try await list(client)
            var found: [String: Int] = [:]
            for film in films {
                let state = try await state(of: film, client, listed[film.id])
                found["\(state)".prefix { $0 != "(" }.description, default: 0] += 1
            }
            #expect(listed.count == films.count - (found["deleted"] ?? 0))
            let objects = try await stack.documents("objects", of: .storage).count
            #expect(objects == found["content"])
            tellFigure("videos at the end: \(found)")
            let verified = try await stack.millrace("storage", "verify")
            #expect(verified.exit == .code(0), "\(verified)")
            let collected = try await stack.millrace("storage", "collect")
            #expect(collected.output.contains("Found 0 that nothing names"), "\(collected)")
        }

        private func list(_ client: WritingClient) async throws -> [String: VideoFacts] {
            var listed: [String: VideoFacts] = [:]
            var target: String? = "/videos?limit=10"
            while let next = target {
                let response = try #require(try await client.send("GET", next).response)
                try #require(response.status == 200)
                let page = try response.json(VideoFactsPage.self)
                for video in page.videos { listed[video.id] = video }
                target = page.next.map { "/videos?limit=10&cursor=\($0)" }
            }
            return listed
        }

        /// What is seen of a film, which has to be one of the states that may be seen.
        private func state(
            of film: Film, _ client: WritingClient, _ listed: VideoFacts?
        ) async throws -> FilmState {
            let what = Comment(rawValue: "\(film.title), \(film.id): \(film.states)")
            let record = try #require(try await client.send("GET", "/videos/\(film.id)").response)
            let content = try #require(try await client.send("GET", "/videos/\(film.id)/content").response)
            guard record.status == 200 else {
                #expect(record.status == 404 && content.status == 404 && listed == nil, what)
                #expect(film.states.contains(.deleted), what)
                return .deleted
            }
            #expect(listed?.title == film.title, what)
            if listed?.state == "awaitingUpload" {
                #expect(content.status == 404, what)
                #expect(film.states.contains(.awaiting), what)
                return .awaiting
            }
            try #require(content.status == 200 && content.isComplete, what)
            #expect(listed?.state == "ready" && listed?.size == Int64(content.body.readableBytes), what)
            let possible = film.states.first { state in
                if case .content(let bytes) = state { bytes.buffer() == content.body } else { false }
            }
            if film.states.count == 1 { #expect(content["etag"] == film.tag, what) }
            return try #require(possible, what)
        }
    }
}
