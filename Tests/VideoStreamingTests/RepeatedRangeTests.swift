import Domain
import Logging
import NIOCore
import TestKit
import Testing

@testable import VideoStreaming

/// Requests that differ from the one before them in their range alone, over a real socket. Each test counts how many were
/// answered without being parsed, or it would show nothing.
struct RepeatedRangeTests {
    private static func text(_ range: String, _ fields: [String] = []) -> String {
        (["GET \(GatewayFixture.target) HTTP/1.1", "Host: test", "Range: \(range)"] + fields).joined(separator: "\r\n")
            + "\r\n\r\n"
    }

    /// Fields but the time, in their order.
    private static func fields(_ response: RawHTTPResponse) -> [String] {
        response.fields.map { $0.0 == "date" ? "date" : "\($0.0): \($0.1)" }
    }

    @Test func theyAreAnsweredAsOthersAreByteForByte() async throws {
        let fixture = try GatewayFixture()
        let size = 300_000
        let video = fixture.putVideo(bytes: size, chunkBytes: 65_536)
        let (metrics, log) = (fixture.metrics, fixture.log)
        var random = SeededRandom(seed: 7)
        let ranges = (0..<300).map { _ in
            let first = Int.random(in: 0..<size, using: &random)
            return (first, first + Int.random(in: 0..<150_000, using: &random))
        }
        try await fixture.serve { port in
            let whole = try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request("GET", GatewayFixture.target)
                return try await connection.response()
            }
            #expect(whole.body == video)
            try await RawHTTPConnection.connected(toPort: port) { connection in
                for (first, last) in ranges {
                    try await connection.send(Self.text("bytes=\(first)-\(last)"))
                    let response = try await connection.response()
                    let other = try await RawHTTPConnection.connected(toPort: port) { other in
                        try await other.send(Self.text("bytes=\(first)-\(last)"))
                        return try await other.response()
                    }
                    #expect(response.status == 206)
                    #expect(Self.fields(response) == Self.fields(other))
                    #expect(response["content-range"] == "bytes \(first)-\(min(last, size - 1))/\(size)")
                    #expect(response.body == video.getSlice(at: first, length: min(last, size - 1) - first + 1))
                    #expect(response.body == other.body)
                }
            }
        }
        #expect(metrics.repeatedRanges > ranges.count / 2)
        // Both ways write the same line.
        let lines = log.requests.filter { $0["target"] == .string(GatewayFixture.target) }
        #expect(lines.count == 2 * ranges.count + 1)
        #expect(lines.allSatisfy { $0["outcome"] == "complete" })
        let sent = ranges.map { min($0.1, size - 1) - $0.0 + 1 }.reduce(0, +)
        #expect(lines.compactMap { $0["bytes"].flatMap { Int("\($0)") } }.reduce(0, +) == 2 * sent + size)
    }

    @Test func whatCannotBeAnsweredSoGoesTheUsualWay() async throws {
        let fixture = try GatewayFixture()
        let video = fixture.putVideo(bytes: 1_000_000, chunkBytes: 65_536)
        let metrics = fixture.metrics
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                var begun = 0
                // Not in memory yet; past the end; too much at once; several; back to front; with a condition that does not hold.
                let cases: [(String, [String], Int, Int?)] = [
                    ("bytes=700000-700009", [], 206, 10), ("bytes=1000000-1000009", [], 416, nil),
                    ("bytes=0-999999", [], 206, 1_000_000), ("bytes=0-0,2-2", [], 206, nil),
                    ("bytes=9-8", [], 200, nil),
                    ("bytes=0-9", ["If-Match: \"other\""], 412, nil),
                    ("bytes=0-9", ["If-None-Match: \"v1\""], 304, nil),
                    ("bytes=0-9", ["If-Range: \"other\""], 200, nil),
                ]
                for (range, fields, status, count) in cases {
                    for _ in 0..<2 {
                        try await connection.send(Self.text("bytes=5-14"))
                        let first = try await connection.response()
                        #expect(first.body == video.getSlice(at: 5, length: 10))
                    }
                    begun = max(begun, metrics.repeatedRanges)
                    for _ in 0..<2 {
                        try await connection.send(Self.text(range, fields))
                        let response = try await connection.response(hasBody: status != 304)
                        #expect(response.status == status, "\(range) \(fields)")
                        if let count { #expect(response.body.readableBytes == count) }
                    }
                }
                #expect(begun > 0)
            }
        }
    }

    @Test func anObjectThatIsReplacedIsNotSentOnceItIsKnown() async throws {
        let fixture = try GatewayFixture()
        let video = fixture.putVideo(bytes: 100_000, chunkBytes: 65_536)
        let (storage, metrics, key) = (fixture.storage, fixture.metrics, fixture.key)
        let next = try GatewayFixture.version("v2")
        let changed = ByteBuffer(bytes: video.readableBytesView.map { $0 ^ 0xff })
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                for (version, bytes) in [("v1", video), ("v2", changed)] {
                    let before = metrics.repeatedRanges
                    for first in 0..<50 {
                        try await connection.send(Self.text("bytes=\(first)-\(first + 999)"))
                        let response = try await connection.response()
                        #expect(response["etag"] == "\"\(version)\"")
                        #expect(response.body == bytes.getSlice(at: first, length: 1_000))
                    }
                    #expect(metrics.repeatedRanges > before)
                    storage.put(key, bytes: changed, version: next, chunkBytes: 65_536)
                    // What is remembered of an object is a second old at the most.
                    try await Task.sleep(for: .milliseconds(1_100))
                }
            }
        }
    }

    /// The body of a request, and the end of a head that came in two pieces, may look like a request.
    @Test func whatOnlyLooksLikeARequestIsNotAnswered() async throws {
        let fixture = try GatewayFixture()
        let video = fixture.putVideo(bytes: 100_000, chunkBytes: 65_536)
        let metrics = fixture.metrics
        try await fixture.serve { port in
            let lookalike = Self.text("bytes=0-9")
            for start in [
                "GET \(GatewayFixture.target) HTTP/1.1\r\nHost: test\r\nContent-Length: \(lookalike.utf8.count)\r\n\r\n",
                "GET \(GatewayFixture.target) HTTP/1.1\r\nX: ",
            ] {
                try await RawHTTPConnection.connected(toPort: port) { connection in
                    for first in 0..<3 {
                        try await connection.send(Self.text("bytes=\(first)-9"))
                        _ = try await connection.response()
                    }
                    let before = metrics.repeatedRanges
                    #expect(before > 0)
                    try await connection.send(start)
                    try await Task.sleep(for: .milliseconds(50))
                    try await connection.send(lookalike)
                    let one = try await connection.response()
                    let wanted = start.hasSuffix("X: ") ? 10 : video.readableBytes
                    #expect(one.body == video.getSlice(at: 0, length: wanted))
                    // One answer, not two; and from now on everything is parsed.
                    for first in 20..<25 {
                        try await connection.send(Self.text("bytes=\(first)-29"))
                        let next = try await connection.response()
                        #expect(next["content-range"] == "bytes \(first)-29/100000")
                    }
                    #expect(metrics.repeatedRanges == before)
                }
            }
        }
    }

    @Test func answersKeepTheirOrderBehindOneThatWaits() async throws {
        let fixture = try GatewayFixture()
        let video = fixture.putVideo(bytes: 1_000_000, chunkBytes: 65_536)
        let (storage, metrics) = (fixture.storage, fixture.metrics)
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                for first in 0..<3 {
                    try await connection.send(Self.text("bytes=\(first)-9"))
                    _ = try await connection.response()
                }
                #expect(metrics.repeatedRanges > 0)
                storage.onRead(InMemoryStorage.delay(.milliseconds(100)))
                // The second comes when the first is at the server.
                try await connection.send(Self.text("bytes=500000-500009"))
                try await Task.sleep(for: .milliseconds(20))
                try await connection.send(Self.text("bytes=3-9"))
                for (first, count) in [(500_000, 10), (3, 7)] {
                    let response = try await connection.response()
                    #expect(response.body == video.getSlice(at: first, length: count))
                }
                let before = metrics.repeatedRanges
                for first in 10..<13 {
                    try await connection.send(Self.text("bytes=\(first)-19"))
                    let response = try await connection.response()
                    #expect(response.body == video.getSlice(at: first, length: 20 - first))
                }
                #expect(metrics.repeatedRanges > before)
            }
        }
    }
}
