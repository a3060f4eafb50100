import Domain
import Hummingbird
import Logging
import NIOCore
import TestKit
import Testing

@testable import VideoStreaming

/// The gateway over a real socket with viewers who are slow, or leave.
struct GatewayViewerTests {
    private static let chunkBytes = 65_536
    private static let videoBytes = 64 * 1_024 * 1_024

    @Test func aViewerWhoLeavesWhileStorageIsSlowEndsTheReading() async throws {
        var fixture = try GatewayFixture()
        fixture.configuration.chunkDeadlineSeconds = 60
        fixture.configuration.readAheadChunks = 4
        fixture.putVideo(bytes: Self.videoBytes, chunkBytes: Self.chunkBytes)
        let gate = InMemoryGate()
        fixture.storage.onRead { (call, deadline) async throws(ServiceError) in
            if call > 3 { try await gate.pass(deadline: deadline) }
        }
        let (storage, log) = (fixture.storage, fixture.log)
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request("GET", GatewayFixture.target)
                _ = try await connection.head()
                // Leaves with bytes unread, as a browser does: the kernel answers the rest with a reset.
                await ChunkStreamTests.settle { storage.counts }
                // A window of four; one of them is there if the sockets hold no more than two chunks.
                #expect((3...4).contains(storage.counts.readsInFlight))
            }
            let left = ContinuousClock.now
            while storage.counts.readsInFlight > 0, left.duration(to: .now) < .seconds(30) {
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(storage.counts.readsInFlight == 0)
            #expect(storage.counts.cancelledReads >= 3)
            #expect((6...7).contains(storage.counts.reads))
            while log.requests.isEmpty, left.duration(to: .now) < .seconds(30) {
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        let line = try #require(log.requests.first)
        #expect(line["outcome"] == "aborted")
    }

    @Test func aViewerWhoLeavesCausesNoMoreReadsThanTheWindow() async throws {
        let fixture = try GatewayFixture()
        fixture.putVideo(bytes: Self.videoBytes, chunkBytes: Self.chunkBytes)
        let (storage, log) = (fixture.storage, fixture.log)
        storage.onRead(InMemoryStorage.delay(.milliseconds(10)))
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request("GET", GatewayFixture.target)
                _ = try await connection.bytes(1_000_000)
            }
            let reads = storage.counts.reads
            await ChunkStreamTests.settle { storage.counts }
            // At most one window more, and what was read while the close was on its way.
            #expect(storage.counts.reads <= reads + 2 * 4)
            #expect(storage.counts.readsInFlight == 0)
        }
        #expect(log.requests.count == 1)
        #expect(log.requests.first?["outcome"] == "aborted")
    }

    @Test func aViewerWhoTakesNothingHoldsNoMoreThanTheWindowAndTheSocketBuffers() async throws {
        let fixture = try GatewayFixture()
        let video = fixture.putVideo(bytes: Self.videoBytes, chunkBytes: Self.chunkBytes)
        let storage = fixture.storage
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port, receiveBufferBytes: 16_384) { connection in
                try await connection.request("GET", GatewayFixture.target)
                _ = try await connection.head()
                await ChunkStreamTests.settle { storage.counts }
                let held = storage.counts.reads * Self.chunkBytes
                #expect(storage.counts.readsInFlight == 0)
                // The kernel's send buffer grows to 4 MiB (tcp_wmem), NIO and the window come on top.
                #expect(held < 8 * 1_024 * 1_024)
                // It goes on where it stood when the viewer does.
                let body = try await connection.bytes(Self.videoBytes)
                #expect(body == video)
            }
        }
        #expect(storage.counts.reads == Self.videoBytes / Self.chunkBytes)
    }

    @Test func aViewerWhoLeavesBeforeTheFirstByteIsAnEndToo() async throws {
        let fixture = try GatewayFixture()
        fixture.putVideo(bytes: 10)
        fixture.storage.onRead(InMemoryStorage.gate(InMemoryGate()))
        let (storage, log) = (fixture.storage, fixture.log)
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request("GET", GatewayFixture.target)
                await ChunkStreamTests.settle { storage.counts }
                #expect(storage.counts.readsInFlight == 1)
                try await connection.reset()
            }
            let left = ContinuousClock.now
            while log.requests.isEmpty, left.duration(to: .now) < .seconds(30) {
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(storage.counts.readsInFlight == 0)
        }
        let line = try #require(log.requests.first)
        #expect(line["outcome"] == "aborted")
        #expect(line["status"] == "none")
        #expect(!log.lines.contains { $0.message == "request failed" })
    }

    @Test func theAccessLogSaysWhatWasSent() async throws {
        let fixture = try GatewayFixture()
        fixture.putVideo(bytes: 100_000)
        let log = fixture.log
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request("GET", GatewayFixture.target, ["Range: bytes=10-19"])
                _ = try await connection.response()
                try await connection.request("HEAD", GatewayFixture.target)
                _ = try await connection.response(hasBody: false)
                try await connection.request("GET", "/nowhere")
                _ = try await connection.response()
            }
            await ChunkStreamTests.settle { log.requests.count }
        }
        let lines = log.requests
        try #require(lines.count == 3)
        #expect(lines.map { $0["status"] } == ["206", "200", "404"])
        #expect(lines.map { $0["method"] } == ["GET", "HEAD", "GET"])
        #expect(lines[0]["bytes"] == "10")
        #expect(lines[0]["target"] == "\(GatewayFixture.target)")
        #expect(lines[1]["bytes"] == "0")
        #expect(lines.allSatisfy { $0["outcome"] == "complete" && $0["duration_ms"] != nil })
    }
}
