import Foundation
import TestKit
import Testing

extension EndToEndTests {
    /// The provider is exchanged while viewers read without pause, and none of them notices.
    struct SwapTests {
        private static let mebibyte: Int64 = 1 << 20
        /// Bytes that have been moved go almost at once, so that whoever still looks for them in the old place finds nothing.
        private static let settings = ["RETIRED_BLOB_SECONDS": "1", "COLLECT_SECONDS": "1"]
        private static let before = settings.merging(["STORAGE_PROVIDER": "filesystem"]) { $1 }
        private static let after = settings.merging(["STORAGE_PROVIDER": "gridfs"]) { $1 }
        private static var viewers: Int { TestEnvironment.longTestsAreWanted ? 50 : 10 }

        @Test func viewersReadOnWhileObjectsMoveAndWorkersAreExchanged() async throws {
            let layout = TestStack.Layout(gateways: 1, storageWorkers: 2, storageSettings: Self.before)
            try await TestStack.running(layout) { stack in
                var videos: [TestVideo] = []
                for number in 1...6 {
                    let size = 4 * Self.mebibyte + Int64(number * 1_111)
                    videos.append(
                        try await stack.putVideoToCompare("\(number).mp4", bytes: size, seed: UInt64(60 + number)))
                }
                let isOver = Shared(false)
                let ranges = Shared(0)
                let (gateway, films) = (try stack.gateway(), videos)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for viewer in 0..<Self.viewers {
                        group.addTask {
                            try await films[viewer % films.count].readRandomRanges(
                                from: gateway, seed: UInt64(viewer), until: isOver, counting: ranges)
                        }
                    }
                    group.addTask {
                        defer { isOver.change { $0 = true } }
                        try await self.swap(stack, counting: ranges)
                    }
                    // The first failed request of any viewer ends the test.
                    try await group.waitForAll()
                }
                tellFigure("\(ranges.value) ranges were read by \(Self.viewers) viewers, and every byte was right")
                try await self.expectAllMoved(stack, videos)
            }
        }

        private func swap(_ stack: TestStack, counting ranges: Shared<Int>) async throws {
            try await eventually("viewers read", within: .seconds(20)) { ranges.value > 20 }
            // Workers that know both providers, and put new objects into the new one.
            for worker in stack.all(.storage) { try await replace(worker, stack, Self.after) }

            // The first attempt is killed on its way, the second goes on where it was.
            let killed = try await stack.startMillrace(["storage", "migrate", "--to", "gridfs", "--rate", "4MB"])
            let folder = stack.storageFolder
            try await eventually("an object has moved", within: .seconds(60)) { try Self.files(folder).count < 6 }
            killed.process.signal(SIGKILL)
            await killed.process.waitForExit()
            #expect(try !Self.files(folder).isEmpty, "it had moved everything before it was killed")
            let moved = try await stack.millrace("storage", "migrate", "--to", "gridfs")
            #expect(moved.exit == .code(0), "\(moved.errors)")
            #expect(moved.output.contains("to gridfs; 0 failed."), "\(moved.output)")

            // Every old copy is deleted, while workers remember where it was.
            try await eventually("the old copies are gone", within: .seconds(30)) { try Self.files(folder).isEmpty }
            let seen = ranges.value
            try await eventually("viewers read on", within: .seconds(20)) { ranges.value > seen + 20 }
            // Workers that know nothing of the old provider any more.
            for worker in stack.all(.storage) where worker.process.exit == nil {
                try await replace(worker, stack, Self.after.merging(["STORAGE_DIRECTORY": ""]) { $1 })
            }
            let last = ranges.value
            try await eventually("viewers read on", within: .seconds(20)) { ranges.value > last + 20 }
        }

        /// Starts another worker before one is stopped, as an orchestrator does.
        private func replace(
            _ worker: ServiceUnderTest, _ stack: TestStack, _ settings: [String: String]
        ) async throws {
            try await stack.start(.storage, settings).ready()
            #expect(try await worker.stop() == .code(0))
        }

        private func expectAllMoved(_ stack: TestStack, _ videos: [TestVideo]) async throws {
            let list = try await stack.millrace("storage", "list", "--provider", "gridfs")
            #expect(list.output.contains("6 objects, "), "\(list.output)")
            let verified = try await stack.millrace("storage", "verify")
            #expect(verified.exit == .code(0) && verified.output.hasPrefix("Verified 6 of 6 objects"), "\(verified)")
            let collected = try await stack.millrace("storage", "collect")
            #expect(collected.output.contains("Found 0 that nothing names"), "\(collected)")
            for video in videos { try await video.streamWhole(from: stack.gateway()) }
        }

        /// The files that hold blobs, without the folders that the provider keeps for itself.
        private static func files(_ folder: URL) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".mp4") }
        }
    }
}
