import Foundation
import TestKit
import Testing

extension EndToEndTests {
    /// What takes minutes or gigabytes.
    @Suite(
        "LongTests (only with MILLRACE_LONG_TESTS=1)",
        .enabled(if: TestEnvironment.longTestsAreWanted, "set MILLRACE_LONG_TESTS=1"))
    struct LongTests {
        private static let maxResidentBytes = 150_000_000

        @Test func aVideoOfTwoGibibytesArrivesAndNoProcessGrowsWithIt() async throws {
            try await TestStack.running { stack in
                // 2 GiB and a little: past what 31 bits can count, and not a whole number of chunks.
                let video = try await stack.putVideo(bytes: (2 << 30) + 12_345, seed: 41)
                let start = ContinuousClock.now
                try await video.streamWhole(from: stack.gateway())
                let took = start.duration(to: .now)
                var figures: [String] = []
                for service in stack.all() {
                    let bytes = try mostResidentBytes(of: service.process.pid)
                    figures.append("\(service.name) \(bytes / 1_000_000) MB")
                    #expect(bytes < Self.maxResidentBytes, "\(service.name)")
                }
                tellFigure("2 GiB in \(took); most resident memory: \(figures.joined(separator: ", "))")
            }
        }

        private func mostResidentBytes(of pid: Int32) throws -> Int {
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
            return try #require(Int(line.filter(\.isNumber))) * 1_024
        }
    }
}
