import TestKit
import Testing

extension EndToEndTests {
    /// Several of each service, and viewers who leave.
    struct LoadTests {
        private static let mebibyte: Int64 = 1 << 20
        private static let chunkBytes: Int64 = 256 * 1_024

        @Test func twoGatewaysAndThreeStorageWorkersShareTheLoad() async throws {
            try await TestStack.running(.init(gateways: 2, metadataWorkers: 2, storageWorkers: 3)) { stack in
                let videos = [
                    try await stack.putVideo("one.mp4", bytes: 8 * Self.mebibyte, seed: 11),
                    try await stack.putVideo("two.mp4", bytes: 8 * Self.mebibyte + 1, seed: 12),
                    try await stack.putVideo("three.mp4", bytes: 8 * Self.mebibyte - 1, seed: 13),
                ]
                let gateways = stack.all(.gateway)
                let viewers = 12
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for viewer in 0..<viewers {
                        group.addTask {
                            try await videos[viewer % videos.count].streamWhole(from: gateways[viewer % gateways.count])
                        }
                    }
                    try await group.waitForAll()
                }
                let chunks = videos.map { Int(($0.size - 1) / Self.chunkBytes) + 1 }.reduce(0, +)
                let metadata = try await served(by: stack.all(.metadata))
                let storage = try await served(by: stack.all(.storage))
                tellFigure("requests served by each metadata worker: \(metadata), by each storage worker: \(storage)")
                // Two viewers of each film at each gateway share a `find`, an `open` (which brings the first chunk) and every
                // chunk, most of which come four at a time: twice as many calls would be one for each. On a machine that is slow for a moment, the second may come after a second and ask again, and a few
                // are asked for once more (a tenth of the calls, and what the two gateways' budgets begin with).
                let films = videos.count * gateways.count
                let calls = chunks * gateways.count
                #expect((films...viewers + 40).contains(metadata.reduce(0, +)))
                #expect((calls / 4...calls / 2 + films + calls / 10 + 40).contains(storage.reduce(0, +)))
                // More than there are `open`s, so each of them has served chunks.
                #expect(storage.allSatisfy { $0 > viewers }, "\(storage)")
            }
        }

        @Test func whenAViewerLeavesItsReadingStops() async throws {
            try await TestStack.running { stack in
                let video = try await stack.putVideo(bytes: 64 * Self.mebibyte, seed: 14)
                let gateway = try stack.gateway()
                struct HasSeenEnough: Error {}
                var read: Int64 = 0
                await #expect(throws: HasSeenEnough.self) {
                    _ = try await video.stream(from: gateway) { bytes in
                        read = bytes
                        if bytes >= 4 * Self.mebibyte { throw HasSeenEnough() }
                    }
                }
                try await eventually("the gateway notices that its viewer has gone", within: .seconds(5)) {
                    gateway.logLines(with: "outcome=aborted").contains { $0.contains("target=\(video.target)") }
                }
                let atEnd = try #require(served(in: gateway, video))
                let count = try #require(try await self.served(by: stack.all(.storage)).first)
                tellFigure(
                    "the viewer read \(read) bytes; the gateway sent \(atEnd); the worker served \(count) requests")
                #expect(atEnd < video.size / 2)
                // `open`, the chunks that were sent, the one under way, and the window of 24.
                #expect(Int64(count) <= 1 + atEnd / Self.chunkBytes + 1 + 24)
            }
        }

        /// Stops workers, which makes them tell how many requests they have served.
        private func served(by workers: [ServiceUnderTest]) async throws -> [Int] {
            var counts: [Int] = []
            for worker in workers {
                #expect(try await worker.stop() == .code(0))
                counts.append(try worker.servedRequests())
            }
            return counts
        }

        /// How many bytes of a video the gateway's log says it has sent.
        private func served(in gateway: ServiceUnderTest, _ video: TestVideo) -> Int64? {
            gateway.logLines(with: "target=\(video.target)").last?.split(separator: " ")
                .first { $0.hasPrefix("bytes=") }.flatMap { Int64($0.dropFirst(6)) }
        }
    }
}
