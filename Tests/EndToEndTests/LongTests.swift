import Foundation
import NIOCore
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
            // The cache may have what it is given, on top of the rest.
            try await TestStack.running(.init(gatewaySettings: ["CACHE_BYTES": "33554432"])) { stack in
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

        @Test func twentyLargeUploadsAtOnceTakeLittleMemory() async throws {
            try await TestStack.running(.init(storageWorkers: 2)) { stack in
                let client = WritingClient(port: try stack.gateway().port)
                // All the same bytes, so that the tests themselves do not take a GiB.
                let content = PatternBytes(seed: 3, count: 64 << 20).buffer()
                let start = ContinuousClock.now
                let ids = try await withThrowingTaskGroup(of: String.self) { group in
                    for number in 0..<20 {
                        group.addTask {
                            let made = try #require(try await client.send("POST", "/videos", json: "{}").response)
                            let id = try made.json(VideoFacts.self).id
                            let body = WritingClient.Body(bytes: content, isChunked: number % 2 == 0)
                            #expect(try await client.put(id, body).status == 201)
                            return id
                        }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                let took = start.duration(to: .now)
                var figures: [String] = []
                for service in stack.all() {
                    let bytes = try mostResidentBytes(of: service.process.pid)
                    figures.append("\(service.name) \(bytes / 1_000_000) MB")
                    #expect(bytes < Self.maxResidentBytes, "\(service.name)")
                }
                tellFigure("20 uploads of 64 MiB in \(took); most resident memory: \(figures.joined(separator: ", "))")
                for id in ids {
                    let response = try await client.send("GET", "/videos/\(id)/content").response
                    #expect(response?.body == content)
                }
            }
        }

        private func mostResidentBytes(of pid: Int32) throws -> Int {
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
            return try #require(Int(line.filter(\.isNumber))) * 1_024
        }
    }
}
