import Foundation
import TestKit
import Testing

extension EndToEndTests {
    /// Viewers, seeks and viewers who leave, all at once and for long: ten minutes with MILLRACE_LONG_TESTS=1, else 20 s.
    struct SoakTests {
        private static let duration: Duration = LongRuns.areWanted ? .seconds(600) : .seconds(20)
        /// How far the most memory of the last third may be above that of the first: what an allocator may move about.
        private static let slackBytes = 24_000_000
        /// Half of the films, so that chunks come, are used again, and go.
        private static let settings = ["CACHE_BYTES": "33554432"]

        private struct HasSeenEnough: Error {}

        @Test func memoryStaysFlatAndNoByteIsWrong() async throws {
            try await TestStack.running(.init(storageWorkers: 2, gatewaySettings: Self.settings)) { stack in
                let videos = [
                    try await stack.putVideo("one.mp4", bytes: 24 << 20, seed: 61),
                    try await stack.putVideo("two.mp4", bytes: (24 << 20) + 1, seed: 62),
                    try await stack.putVideo("three.mp4", bytes: (16 << 20) - 1, seed: 63),
                ]
                let (isOver, ranges) = (Shared(false), Shared(RangeTally()))
                let (films, left) = (Shared(0), Shared(0))
                let gateway = try stack.gateway()
                let memory = try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<8 {
                        let video = videos[number % videos.count]
                        group.addTask {
                            switch number {
                            case 0, 1, 2:
                                while !isOver.value {
                                    try await video.streamWhole(from: gateway)
                                    films.change { $0 += 1 }
                                }
                            case 3, 4:
                                try await leave(video, gateway, seed: UInt64(number), until: isOver, counting: left)
                            default:
                                let most: Int64 = number == 5 ? 1_048_576 : 65_536
                                try await video.readRandomRanges(
                                    from: gateway, seed: UInt64(number), upTo: most, until: isOver, counting: ranges)
                            }
                        }
                    }
                    group.addTask {
                        try await Task.sleep(for: Self.duration)
                        isOver.change { $0 = true }
                    }
                    async let memory = Self.memory(of: stack, until: isOver)
                    try await group.waitForAll()
                    return try await memory
                }
                tellFigure(
                    """
                    in \(Self.duration): \(films.value) films, \(ranges.value.count) ranges, \(left.value) viewers left; \
                    memory in the first and the last third: \(memory)
                    """)
                #expect(films.value > 0 && ranges.value.count > 0 && left.value > 0)
                for (name, thirds) in memory {
                    #expect(thirds.last <= thirds.first + Self.slackBytes, "\(name) grows: \(thirds)")
                }
            }
        }

        /// Begins to watch and goes away, again and again.
        private func leave(
            _ video: TestVideo, _ gateway: ServiceUnderTest, seed: UInt64, until isOver: Shared<Bool>,
            counting left: Shared<Int>
        ) async throws {
            var random = SeededRandom(seed: seed)
            while !isOver.value {
                let enough = Int64.random(in: 0..<(8 << 20), using: &random)
                do {
                    _ = try await video.stream(from: gateway) { bytes in
                        if bytes > enough { throw HasSeenEnough() }
                    }
                } catch is HasSeenEnough {
                    left.change { $0 += 1 }
                }
            }
        }

        /// The most resident memory of each process in the first and in the last third of the time.
        private static func memory(
            of stack: TestStack, until isOver: Shared<Bool>
        ) async throws -> [String: (first: Int, last: Int)] {
            var samples: [String: [Int]] = [:]
            while !isOver.value {
                for service in stack.all() {
                    samples[service.name, default: []].append(try residentBytes(of: service.process.pid))
                }
                try await Task.sleep(for: .milliseconds(100))
            }
            return try samples.mapValues { samples in
                let third = samples.count / 3
                let first = try #require(samples.prefix(third).max())
                let last = try #require(samples.suffix(third).max())
                return (first, last)
            }
        }

        private static func residentBytes(of pid: Int32) throws -> Int {
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
            return try #require(Int(line.filter(\.isNumber))) * 1_024
        }
    }
}
