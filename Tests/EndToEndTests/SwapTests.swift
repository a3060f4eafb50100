import Foundation
import TestKit
import Testing

extension EndToEndTests {
    /// The provider is exchanged while viewers read without pause, and none of them notices.
    struct SwapTests {
        private static let mebibyte: Int64 = 1 << 20
        /// Bytes that have been moved go almost at once, so that whoever still looks for them in the old place finds nothing.
        private static let settings = ["RETIRED_BLOB_SECONDS": "1", "COLLECT_SECONDS": "1"]
        private static let isLong = TestEnvironment.longTestsAreWanted
        private static let viewers = isLong ? 50 : 8
        private static let films = isLong ? 12 : 4
        private typealias Link = ProviderChain.Link

        @Test(.timeLimit(.minutes(10)))
        func viewersReadOnWhileObjectsMoveThroughAllProvidersAndWorkersAreExchanged() async throws {
            let layout = TestStack.Layout(gateways: 1, storageWorkers: 2, storageSettings: Self.settings)
            try await TestStack.running(layout) { stack in
                try await ProviderChain.with(stack) { chain in
                    var films: [TestVideo] = []
                    for number in 1...Self.films {
                        // Two blocks of S3, some of the others.
                        let size = 6 * Self.mebibyte + Int64(number * 1_111)
                        films.append(
                            try await stack.putVideoToCompare("\(number).mp4", bytes: size, seed: UInt64(60 + number)))
                    }
                    try await self.move(films, through: chain, stack)
                    try await self.expectAllMoved(stack, films)
                    for link in [Link.filesystem, .s3, .azure] {
                        #expect(try await chain.blobs(in: link) == 0, "\(link) holds what nobody needs")
                    }
                }
            }
        }

        /// Moves everything from one provider to the next while all films are watched. The first failed request of any viewer
        /// ends the test.
        private func move(_ films: [TestVideo], through chain: ProviderChain, _ stack: TestStack) async throws {
            let (isOver, ranges, gateway) = (Shared(false), Shared(RangeTally()), try stack.gateway())
            let start = ContinuousClock.now
            try await withThrowingTaskGroup(of: Void.self) { group in
                for viewer in 0..<Self.viewers {
                    group.addTask {
                        try await films[viewer % films.count].readRandomRanges(
                            from: gateway, seed: UInt64(viewer), until: isOver, counting: ranges)
                    }
                }
                group.addTask {
                    defer { isOver.change { $0 = true } }
                    try await self.readOn(ranges)
                    for (old, new) in zip(Link.allCases, Link.allCases.dropFirst()) {
                        try await self.swap(old, new, chain, stack, ranges)
                    }
                    // Workers that know nothing of the old providers any more.
                    try await self.replaceWorkers(stack, chain.settings(of: [], primary: .gridfs))
                    try await self.readOn(ranges)
                }
                try await group.waitForAll()
            }
            let tally = ranges.value
            tellFigure(
                """
                \(tally.count) ranges were read by \(Self.viewers) viewers in \(start.duration(to: .now)) while \
                \(films.count) objects moved three times; every byte was right; the slowest took \(tally.longest)
                """)
        }

        private func swap(
            _ old: Link, _ new: Link, _ chain: ProviderChain, _ stack: TestStack, _ ranges: Shared<RangeTally>
        ) async throws {
            // Workers that know both providers and no older one, and put new objects into the new one.
            try await replaceWorkers(stack, chain.settings(of: [old, new], primary: new))
            let before = ranges.value.count
            if old == .filesystem || Self.isLong { try await killMigration(of: old, new, chain, stack) }
            let moved = try await stack.millrace("storage", "migrate", "--to", new.rawValue)
            #expect(moved.exit == .code(0), "\(moved.errors)")
            #expect(moved.output.contains("to \(new.rawValue); 0 failed."), "\(moved.output)")
            // Every old copy is deleted, while workers remember where it was.
            try await eventually("\(old) is empty", within: .seconds(60)) { try await chain.blobs(in: old) == 0 }
            tellFigure("\(old) to \(new): \(ranges.value.count - before) ranges meanwhile")
            try await readOn(ranges)
        }

        /// The first attempt is killed on its way; the next one has to go on where it was.
        private func killMigration(
            of old: Link, _ new: Link, _ chain: ProviderChain, _ stack: TestStack
        ) async throws {
            let all = try await chain.blobs(in: old)
            let killed = try await stack.startMillrace(["storage", "migrate", "--to", new.rawValue, "--rate", "6MB"])
            try await eventually("an object has moved", within: .seconds(60)) { try await chain.blobs(in: old) < all }
            killed.process.signal(SIGKILL)
            await killed.process.waitForExit()
            #expect(try await chain.blobs(in: old) > 0, "it had moved everything before it was killed")
        }

        private func readOn(_ ranges: Shared<RangeTally>) async throws {
            let seen = ranges.value.count
            try await eventually("viewers read on", within: .seconds(20)) { ranges.value.count > seen + 20 }
        }

        /// Exchanges all workers, one by one; starts another before one is stopped, as an orchestrator does.
        private func replaceWorkers(_ stack: TestStack, _ settings: [String: String]) async throws {
            for worker in stack.all(.storage) where worker.process.exit == nil {
                try await stack.start(.storage, settings.merging(Self.settings) { $1 }).ready()
                #expect(try await worker.stop() == .code(0))
            }
        }

        private func expectAllMoved(_ stack: TestStack, _ videos: [TestVideo]) async throws {
            let list = try await stack.millrace("storage", "list", "--provider", "gridfs")
            #expect(list.output.contains("\(videos.count) objects, "), "\(list.output)")
            let verified = try await stack.millrace("storage", "verify")
            let sentence = "Verified \(videos.count) of \(videos.count) objects"
            #expect(verified.exit == .code(0) && verified.output.hasPrefix(sentence), "\(verified)")
            let collected = try await stack.millrace("storage", "collect")
            #expect(collected.output.contains("Found 0 that nothing names"), "\(collected)")
            for video in videos { try await video.streamWhole(from: stack.gateway()) }
        }
    }
}
