import NIOCore
import TestKit
import Testing

/// How a body came.
struct DeliveryReport: Sendable {
    /// How many bytes came, each equal to the file's.
    var bytes: Int64 = 0
    /// Where the first piece was that was not equal.
    var firstWrong: Int64?
    /// The longest wait for the next piece, and where it was.
    var longestPause: (duration: Duration, offset: Int64) = (.zero, 0)
}

/// The ranges that viewers have read, each equal to the file's.
struct RangeTally: Sendable {
    /// How many.
    var count = 0
    /// The longest that one took, from the request to its last byte.
    var longest: Duration = .zero
}

extension TestVideo {
    /// Bytes per read; small enough to see a pause, large enough to be quick.
    private static let pieceBytes: Int64 = 64 * 1_024
    /// The client's receive buffer: little enough that a stream of tens of MiB is still under way when its client stops.
    private static let receiveBufferBytes = 128 * 1_024

    /// Reads the whole video as a viewer does, on a connection of its own, and compares what comes with the file.
    ///
    /// - Parameters:
    ///   - gateway: Whom to ask.
    ///   - onPiece: Told how many bytes have come; the next are read when it returns. Its time is no pause.
    /// - Returns: What came. It is up to the caller to say whether that is all.
    /// - Throws: What `onPiece` throws, or that there was no good response at all.
    func stream(
        from gateway: ServiceUnderTest, onPiece: (_ bytes: Int64) async throws -> Void = { _ in }
    ) async throws -> DeliveryReport {
        let file = try opened()
        return try await RawHTTPConnection.connected(
            toPort: gateway.port, receiveBufferBytes: Self.receiveBufferBytes
        ) { connection in
            try await connection.request("GET", target)
            let head = try await connection.head()
            try #require(head.status == 200)
            #expect(head["content-length"] == "\(size)")
            var report = DeliveryReport()
            while report.bytes < size {
                let asked = ContinuousClock.now
                let piece = try await connection.bytes(Int(min(Self.pieceBytes, size - report.bytes)))
                let pause = asked.duration(to: .now)
                if pause > report.longestPause.duration { report.longestPause = (pause, report.bytes) }
                guard piece.readableBytes > 0 else { break }
                guard try file.matches(piece, at: report.bytes) else {
                    report.firstWrong = report.bytes
                    break
                }
                report.bytes += Int64(piece.readableBytes)
                try await onPiece(report.bytes)
            }
            return report
        }
    }

    /// Reads the whole video and expects all of it.
    @discardableResult
    func streamWhole(
        from gateway: ServiceUnderTest, onPiece: (_ bytes: Int64) async throws -> Void = { _ in }
    ) async throws -> DeliveryReport {
        let report = try await stream(from: gateway, onPiece: onPiece)
        #expect(report.firstWrong == nil, "wrong bytes")
        #expect(report.bytes == size, "the response was cut")
        return report
    }

    /// Reads ranges at random, one after the other over one connection, and expects each of them.
    ///
    /// - Parameters:
    ///   - gateway: Whom to ask.
    ///   - seed: For other ranges, another seed.
    ///   - mostBytes: How long a range may be.
    ///   - isOver: When to stop.
    ///   - tally: Counts the ranges.
    /// - Throws: At the first that is not as it should be.
    func readRandomRanges(
        from gateway: ServiceUnderTest, seed: UInt64, upTo mostBytes: Int64 = 1_048_576, until isOver: Shared<Bool>,
        counting tally: Shared<RangeTally>
    ) async throws {
        var random = SeededRandom(seed: seed)
        let file = try opened()
        try await RawHTTPConnection.connected(toPort: gateway.port) { connection in
            while !isOver.value {
                let first = Int64.random(in: 0..<size, using: &random)
                let last = min(size - 1, first + Int64.random(in: 0..<mostBytes, using: &random))
                let asked = ContinuousClock.now
                try await connection.request("GET", target, ["Range: bytes=\(first)-\(last)"])
                let response = try await connection.response()
                let took = asked.duration(to: .now)
                let what = Comment(rawValue: "bytes \(first) to \(last)")
                try #require(response.status == 206, what)
                try #require(response["content-range"] == "bytes \(first)-\(last)/\(size)", what)
                try #require(response.body.readableBytes == Int(last - first + 1), what)
                let isRight = try file.matches(response.body, at: first)
                try #require(isRight, what)
                tally.change { tally in
                    tally.count += 1
                    tally.longest = max(tally.longest, took)
                }
            }
        }
    }
}
