import Domain
import HTTPTypes
import NIOCore
import TestKit
import Testing

@testable import VideoStreaming

/// The table of ``ResponsePlannerTests`` once more, over a real socket: what is planned is what is sent, byte for byte.
struct ConformanceSocketTests {
    private typealias Case = ResponsePlannerTests.Case

    @Test(arguments: [Int64(0), 1, 100, 1_000, 100_000])
    func theTableHoldsOverASocket(size: Int64) async throws {
        let cases = (ResponsePlannerTests.ranges + ResponsePlannerTests.conditions).filter {
            // A field over MAX_HEADER_BYTES does not come so far.
            $0.size == size && $0.fields.allSatisfy { $0.1.utf8.count < 16_000 }
        }
        try #require(!cases.isEmpty)
        let fixture = try GatewayFixture()
        let video = fixture.putVideo(bytes: Int(size))
        try await fixture.serve { port in
            // One connection for all of them, so that a body that is too long or too short spoils the next answer.
            try await RawHTTPConnection.connected(toPort: port) { connection in
                for one in cases {
                    let fields = one.fields.map { "\($0.0.rawName): \($0.1)" }
                    try await connection.request(one.method.rawValue, GatewayFixture.target, fields)
                    let response = try await connection.response(hasBody: one.method != .head)
                    Self.check(response, one, video)
                }
            }
        }
    }

    private static func check(_ response: RawHTTPResponse, _ one: Case, _ video: ByteBuffer) {
        #expect(response.status == one.status, "\(one.testDescription)")
        #expect(response["etag"] == "\"v1\"")
        #expect(response["cache-control"] == "no-cache")
        #expect(response["access-control-allow-origin"] == "*")
        switch response.status {
        case 200, 206:
            #expect(response["content-disposition"] == "inline; filename=\"Mill race.mp4\"")
            #expect(response["x-content-type-options"] == "nosniff")
            #expect(response["accept-ranges"] == "bytes")
            let ranges = one.range?.split(separator: ",").map(String.init) ?? []
            if one.method == .head || one.size == 0 {
                #expect(response["content-length"] == "\(one.size)")
            } else if ranges.count == 1 {
                #expect(response.isComplete, "\(one.testDescription)")
                #expect(response["content-type"] == "video/mp4")
                #expect(response.body == slice(ranges[0], of: video), "\(one.testDescription)")
                #expect(
                    response["content-range"] == (one.status == 206 ? "bytes \(ranges[0])/\(one.size)" : nil))
            } else {
                #expect(response.isComplete, "\(one.testDescription)")
                #expect(response.body.readableBytes <= video.readableBytes)
                #expect(parts(response) == ranges.map { Part(range: "bytes \($0)/\(one.size)", slice($0, of: video)) })
            }
        case 416:
            #expect(response["content-range"] == "bytes */\(one.size)")
            #expect(response["content-type"] == "application/problem+json")
        case 304:
            #expect(response["content-length"] == nil && response["content-type"] == nil)
        default:
            #expect(response["content-type"] == "application/problem+json")
        }
    }

    private static func slice(_ range: String, of video: ByteBuffer) -> ByteBuffer? {
        let ends = range.split(separator: "-").compactMap { Int($0) }
        return ends.count == 2 ? video.getSlice(at: ends[0], length: ends[1] - ends[0] + 1) : nil
    }

    private struct Part: Equatable {
        var range: String
        var bytes: ByteBuffer?

        init(range: String, _ bytes: ByteBuffer?) {
            self.range = range
            self.bytes = bytes
        }
    }

    /// Reads a multipart body as a client does: from one delimiter to the next.
    private static func parts(_ response: RawHTTPResponse) -> [Part]? {
        let prefix = "multipart/byteranges; boundary="
        guard let type = response["content-type"], type.hasPrefix(prefix) else { return nil }
        let delimiter = Array("\r\n--\(type.dropFirst(prefix.count))".utf8)
        var bytes = Array("\r\n".utf8) + Array(response.body.readableBytesView)
        var pieces: [[UInt8]] = []
        while let start = bytes.indices.first(where: { bytes[$0...].starts(with: delimiter) }) {
            pieces.append(Array(bytes[..<start]))
            bytes.removeFirst(start + delimiter.count)
        }
        guard pieces.removeFirst().isEmpty, bytes == Array("--\r\n".utf8) else { return nil }
        return pieces.map { piece in
            let blank = Array("\r\n\r\n".utf8)
            guard let end = piece.indices.first(where: { piece[$0...].starts(with: blank) }) else {
                return Part(range: "none", nil)
            }
            let head = String(decoding: piece[..<end], as: UTF8.self).split(separator: "\r\n").map(String.init)
            let range = head.first { $0.hasPrefix("Content-Range: ") }?.dropFirst("Content-Range: ".count)
            let isTyped = head.contains("Content-Type: video/mp4")
            return Part(range: isTyped ? String(range ?? "") : "untyped", ByteBuffer(bytes: piece[(end + 4)...]))
        }
    }
}
