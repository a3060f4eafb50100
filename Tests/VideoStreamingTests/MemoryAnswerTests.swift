import Domain
import HTTPTypes
import Logging
import NIOCore
import TestKit
import Testing

@testable import VideoStreaming

/// Requests that are answered at once, from memory, over a real socket.
struct MemoryAnswerTests {
    private typealias Case = ResponsePlannerTests.Case

    private static func text(_ fields: [String] = [], target: String = GatewayFixture.target) -> String {
        (["GET \(target) HTTP/1.1", "Host: test"] + fields).joined(separator: "\r\n") + "\r\n\r\n"
    }

    /// What must be the same wherever an answer comes from.
    private static func essence(_ response: RawHTTPResponse) -> [String] {
        let fields = response.fields.map { name, value in
            switch name {
            case "date": "date"
            case "server-timing": "server-timing"
            default: "\(name): \(value)"
            }
        }
        return ["\(response.status)"] + fields.sorted()
    }

    @Test(arguments: [Int64(0), 1, 100, 1_000, 100_000])
    func anAnswerFromMemoryIsTheSameAsOneThatIsNot(size: Int64) async throws {
        let cases = (ResponsePlannerTests.ranges + ResponsePlannerTests.conditions).filter {
            $0.size == size && $0.fields.allSatisfy { $0.1.utf8.count < 16_000 }
        }
        let fixture = try GatewayFixture()
        fixture.putVideo(bytes: Int(size))
        let metrics = fixture.metrics
        try await fixture.serve { port in
            // The answer to one that asks to close the connection is never from memory.
            for one in cases {
                let fields = one.fields.map { "\($0.0.rawName): \($0.1)" }
                let before = metrics.answersFromMemory
                let other = try await RawHTTPConnection.connected(toPort: port) { connection in
                    try await connection.request(
                        one.method.rawValue, GatewayFixture.target, fields + ["Connection: close"])
                    return try await connection.response(hasBody: one.method != .head)
                }
                #expect(metrics.answersFromMemory == before)
                let response = try await RawHTTPConnection.connected(toPort: port) { connection in
                    try await connection.request(one.method.rawValue, GatewayFixture.target, fields)
                    return try await connection.response(hasBody: one.method != .head)
                }
                // The boundary of several parts is drawn anew each time.
                guard response["content-type"]?.hasPrefix("multipart/") != true else { continue }
                #expect(Self.essence(response) == Self.essence(other), "\(one.testDescription)")
                #expect(response.body == other.body, "\(one.testDescription)")
            }
        }
        // The largest one is in more chunks than are sent at once.
        if size <= 1_000 { #expect(metrics.answersFromMemory > cases.count / 2) }
    }

    @Test func answersKeepTheirOrderWhereverTheyComeFrom() async throws {
        let fixture = try GatewayFixture()
        let video = fixture.putVideo(bytes: 1_000_000, chunkBytes: 65_536)
        let (storage, metrics) = (fixture.storage, fixture.metrics)
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.send(Self.text(["Range: bytes=0-9"]))
                _ = try await connection.response()
                storage.onRead(InMemoryStorage.delay(.milliseconds(50)))
                // From memory, from storage, and again from memory: which has to wait.
                let firsts = [10, 500_000, 20, 600_000, 600_100, 30]
                let requests = firsts.map { Self.text(["Range: bytes=\($0)-\($0 + 9)"]) }
                try await connection.send(requests.joined())
                for first in firsts {
                    let response = try await connection.response()
                    #expect(response["content-range"] == "bytes \(first)-\(first + 9)/1000000")
                    #expect(response.body == video.getSlice(at: first, length: 10))
                }
                #expect(metrics.answersFromMemory >= 1)
                let before = metrics.answersFromMemory
                try await connection.send(Self.text(["Range: bytes=40-49"]))
                let last = try await connection.response()
                #expect(last.body == video.getSlice(at: 40, length: 10))
                #expect(metrics.answersFromMemory == before + 1)
            }
        }
    }

    @Test func aViewerWhoTakesNothingIsHandedNoMoreThanTheConnectionHolds() async throws {
        let fixture = try GatewayFixture()
        let video = fixture.putVideo(bytes: 262_144, chunkBytes: 65_536)
        let (metrics, count) = (fixture.metrics, 400)
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port, receiveBufferBytes: 65_536) { connection in
                try await connection.send(Self.text())
                let first = try await connection.response()
                #expect(first.body == video)
                try await connection.send(String(repeating: Self.text(), count: count))
                // An answer on another connection shows that the loop has gone round; both loops may have to.
                for _ in 0..<20 {
                    try await RawHTTPConnection.connected(toPort: port) { other in
                        try await other.send(Self.text(["Range: bytes=0-0"]))
                        _ = try await other.response()
                    }
                }
                // The kernel holds 4 MB for the sender at the most, and the receiver as much as it was told.
                #expect(metrics.answersFromMemory < 60)
                for _ in 0..<count {
                    let response = try await connection.response()
                    #expect(response.body == video)
                }
            }
        }
    }

    @Test func aConnectionThatIsServedFromMemoryIsNotIdle() async throws {
        var fixture = try GatewayFixture()
        fixture.configuration.idleConnectionSeconds = 0.6
        let video = fixture.putVideo(bytes: 100_000, chunkBytes: 65_536)
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                for _ in 0..<10 {
                    try await connection.send(Self.text(["Range: bytes=5-9"]))
                    let response = try await connection.response()
                    #expect(response.body == video.getSlice(at: 5, length: 5))
                    try await Task.sleep(for: .milliseconds(200))
                }
                let rest = try await connection.rest()
                #expect(rest.readableBytes == 0)
            }
        }
    }

    @Test func theAccessLogAndTheClosingAreTheSame() async throws {
        let fixture = try GatewayFixture()
        let video = fixture.putVideo(bytes: 100_000, chunkBytes: 65_536)
        let log = fixture.log
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.send(Self.text() + Self.text(["Range: bytes=70000-70009"]))
                _ = try await connection.response()
                let part = try await connection.response()
                #expect(part.body == video.getSlice(at: 70_000, length: 10))
                try await connection.send(Self.text(["Range: bytes=0-4", "Connection: close"]) + Self.text())
                let last = try await connection.response()
                #expect(last.body == video.getSlice(at: 0, length: 5))
                // What comes after the wish to close is not answered.
                let rest = try await connection.rest()
                #expect(rest.readableBytes == 0)
            }
        }
        #expect(log.requests.map { $0["bytes"] } == ["100000", "10", "5"])
        #expect(
            log.requests.allSatisfy { $0["outcome"] == "complete" && $0["target"] == .string(GatewayFixture.target) })
    }
}
