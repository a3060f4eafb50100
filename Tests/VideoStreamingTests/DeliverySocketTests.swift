import Domain
import Logging
import NIOCore
import TestKit
import Testing

@testable import VideoStreaming

/// The delivery engine over a real socket: what is asked of the services, and what slow or many viewers cost.
struct DeliverySocketTests {
    private static let chunkBytes = 65_536

    private func get(_ port: Int, _ fields: [String] = []) async throws -> RawHTTPResponse {
        try await RawHTTPConnection.connected(toPort: port) { connection in
            try await connection.request("GET", GatewayFixture.target, fields)
            return try await connection.response()
        }
    }

    @Test func aColdFirstByteCostsTwoCallsAndAWarmOneNone() async throws {
        let fixture = try GatewayFixture()
        let video = fixture.putVideo(bytes: 1_000_000, chunkBytes: Self.chunkBytes)
        let storage = fixture.storage
        try await fixture.serve { port in
            let cold = try await get(port, ["Range: bytes=100000-100099"])
            #expect(cold.body == video.getSlice(at: 100_000, length: 100))
            #expect(cold["server-timing"]?.hasSuffix("desc=storage") == true)
            // An opening, which is a stat and a read in one.
            #expect(storage.counts.opens == 1 && storage.counts.stats == 1 && storage.counts.reads == 1)
            storage.onRead(InMemoryStorage.failure(.internal))
            storage.onStat(InMemoryStorage.failure(.internal))
            let warm = try await get(port, ["Range: bytes=100100-100199"])
            #expect(warm.body == video.getSlice(at: 100_100, length: 100))
            #expect(warm["server-timing"]?.hasSuffix("desc=cache") == true)
        }
        #expect(storage.counts.opens == 1 && storage.counts.stats == 1 && storage.counts.reads == 1)
    }

    @Test func aHotFilmIsNotReadAgainWhenItsFactsAreTooOld() async throws {
        let fixture = try GatewayFixture()
        let video = fixture.putVideo(bytes: 200_000, chunkBytes: Self.chunkBytes)
        let storage = fixture.storage
        try await fixture.serve { port in
            _ = try await get(port)
            try await Task.sleep(for: .milliseconds(1_050))
            let later = try await get(port)
            #expect(later.body == video)
        }
        #expect(storage.counts.opens == 1 && storage.counts.stats == 2)
        #expect(storage.counts.indexes.sorted() == [0, 1, 2, 3])
    }

    @Test func aConditionIsDecidedWithoutReadingAByte() async throws {
        let fixture = try GatewayFixture()
        fixture.putVideo(bytes: 1_000_000, chunkBytes: Self.chunkBytes)
        let storage = fixture.storage
        try await fixture.serve { port in
            let response = try await get(port, ["If-None-Match: \"v1\""])
            #expect(response.status == 304)
        }
        #expect(storage.counts.stats == 1 && storage.counts.reads == 0)
    }

    @Test func manyViewersOfOneColdFilmHaveEachChunkFetchedOnce() async throws {
        let fixture = try GatewayFixture()
        let video = fixture.putVideo(bytes: 1_000_000, chunkBytes: Self.chunkBytes)
        let storage = fixture.storage
        storage.onRead(InMemoryStorage.delay(.milliseconds(20)))
        try await fixture.serve { port in
            try await withThrowingTaskGroup(of: RawHTTPResponse.self) { group in
                for _ in 0..<100 { group.addTask { try await get(port) } }
                for try await response in group { #expect(response.body == video) }
            }
        }
        #expect(storage.counts.indexes.sorted() == Array(0...15))
        #expect(storage.counts.stats == 1)
    }

    @Test func withoutACacheTheBytesAreTheSame() async throws {
        var fixture = try GatewayFixture()
        fixture.configuration.cacheBytes = 0
        fixture.configuration.readAheadBytes = 0
        let video = fixture.putVideo(bytes: 1_000_003, chunkBytes: Self.chunkBytes)
        let storage = fixture.storage
        try await fixture.serve { port in
            for _ in 0..<2 {
                let response = try await get(port)
                #expect(response.body == video)
            }
        }
        #expect(storage.counts.reads == 32)
    }

    /// The cache has room for three chunks, and what it drops has been handed to sockets that are read much later.
    @Test func whatIsDroppedFromTheCacheReachesItsViewersAsItWas() async throws {
        var fixture = try GatewayFixture()
        let chunkBytes = ChunkMemory.leastBytes
        fixture.configuration.cacheBytes = 3 * (chunkBytes + ChunkCache.bookkeepingBytes)
        let video = fixture.putVideo(bytes: 4 << 20, chunkBytes: chunkBytes)
        try await fixture.serve { port in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for viewer in 0..<6 {
                    group.addTask {
                        let start = viewer * 500_000
                        try await RawHTTPConnection.connected(toPort: port, receiveBufferBytes: 16_384) { connection in
                            try await connection.request("GET", GatewayFixture.target, ["Range: bytes=\(start)-"])
                            _ = try await connection.head()
                            var body = ByteBuffer()
                            while body.readableBytes < video.readableBytes - start {
                                let rest = video.readableBytes - start - body.readableBytes
                                var piece = try await connection.bytes(min(rest, 100_000))
                                body.writeBuffer(&piece)
                            }
                            #expect(body == video.getSlice(at: start, length: video.readableBytes - start))
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func aVideoThatIsReplacedByAnUploadIsSeenAtOnce() async throws {
        let fixture = try GatewayFixture()
        fixture.putVideo(bytes: 100_000)
        let next = GatewayFixture.pattern(70_000)
        try await fixture.serve { port in
            _ = try await get(port)
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request(
                    "PUT", "/videos/\(GatewayFixture.idText)/content",
                    [GatewayFixture.authorization, "Content-Length: 70000"])
                try await connection.send(next)
                let response = try await connection.response()
                #expect(response.status == 204)
            }
            let response = try await get(port)
            #expect(response.body == next)
        }
    }

    @Test func aViewerWhoTakesNothingIsCutAndTheLogSaysSo() async throws {
        var fixture = try GatewayFixture()
        fixture.configuration.viewerStallSeconds = 0.3
        fixture.putVideo(bytes: 32 << 20, chunkBytes: Self.chunkBytes)
        let log = fixture.log
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port, receiveBufferBytes: 16_384) { connection in
                try await connection.request("GET", GatewayFixture.target)
                _ = try await connection.head()
                let began = ContinuousClock.now
                while log.requests.isEmpty, began.duration(to: .now) < .seconds(30) {
                    try await Task.sleep(for: .milliseconds(5))
                }
                let body = try await connection.rest()
                #expect(body.readableBytes < 32 << 20)
            }
        }
        let line = try #require(log.requests.first)
        #expect(line["outcome"] == "stalled")
        #expect(line["status"] == "200")
    }

    @Test func aViewerWhoTakesALittleAgainAndAgainIsNotCut() async throws {
        var fixture = try GatewayFixture()
        fixture.configuration.viewerStallSeconds = 1
        let video = fixture.putVideo(bytes: 12 << 20, chunkBytes: Self.chunkBytes)
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port, receiveBufferBytes: 16_384) { connection in
                try await connection.request("GET", GatewayFixture.target)
                let head = try await connection.head()
                var body = ByteBuffer()
                // 3 MiB at a time: more than the kernel holds, so that room becomes free each time.
                for _ in 0..<4 {
                    try await Task.sleep(for: .milliseconds(600))
                    var piece = try await connection.bytes(3 << 20)
                    body.writeBuffer(&piece)
                }
                #expect(head.status == 200)
                #expect(body == video)
            }
        }
    }

    @Test func oneFastViewerDoesNotKeepTheOthersWaiting() async throws {
        let fixture = try GatewayFixture()
        let video = fixture.putVideo(bytes: 64 << 20, chunkBytes: 1 << 18)
        try await fixture.serve { port in
            _ = try await get(port)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let response = try await get(port)
                        #expect(response.body == video)
                    }
                }
                for _ in 0..<50 {
                    let part = try await get(port, ["Range: bytes=5-9"])
                    #expect(part.body == video.getSlice(at: 5, length: 5))
                }
                group.cancelAll()
            }
        }
    }

    @Test func aHeaderThatComesByDropsIsGivenUp() async throws {
        var fixture = try GatewayFixture()
        fixture.configuration.idleConnectionSeconds = 0.5
        try await fixture.serve { port in
            let began = ContinuousClock.now
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.send("GET / HTTP/1.1\r\n")
                for number in 0..<200 {
                    try await Task.sleep(for: .milliseconds(50))
                    do {
                        try await connection.send("X-\(number): y\r\n")
                    } catch {
                        break
                    }
                }
                let rest = try await connection.rest()
                #expect(rest.readableBytes == 0)
            }
            #expect(began.duration(to: .now) < .seconds(5))
        }
    }

    @Test func aConnectionWithoutARequestIsClosed() async throws {
        var fixture = try GatewayFixture()
        fixture.configuration.idleConnectionSeconds = 0.3
        fixture.putVideo(bytes: 10)
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                let rest = try await connection.rest()
                #expect(rest.readableBytes == 0)
            }
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request("GET", GatewayFixture.target)
                let response = try await connection.response()
                #expect(response.status == 200)
                let rest = try await connection.rest()
                #expect(rest.readableBytes == 0)
            }
        }
    }

    @Test func furtherConnectionsWaitUntilOneEnds() async throws {
        var fixture = try GatewayFixture()
        fixture.configuration.maxConnections = 2
        fixture.putVideo(bytes: 10)
        try await fixture.serve { port in
            let third = try await RawHTTPConnection.connected(toPort: port) { first in
                try await first.request("GET", GatewayFixture.target)
                _ = try await first.response()
                return try await RawHTTPConnection.connected(toPort: port) { second in
                    try await second.request("GET", GatewayFixture.target)
                    _ = try await second.response()
                    let third = Task { try await get(port) }
                    try await Task.sleep(for: .milliseconds(200))
                    return third
                }
            }
            let response = try await third.value
            #expect(response.status == 200)
        }
    }
}
