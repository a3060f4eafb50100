import Glibc
import NIOCore
import TestKit
import Testing

@testable import AMQP

@Suite struct FrameInputTests {
    private static let channels: [UInt16] = [2, 3, 7]
    private static let maxFrameBytes = 128
    /// Between the prefix and the end mark.
    private static let maxPayloadBytes = maxFrameBytes - 8

    /// Not a good one, but one that depends on the order.
    private static let checksum: BodyChecksum = { bytes, first in bytes.reduce(first) { $0 &* 31 &+ UInt32($1) &+ 1 } }

    /// How a broker may cut bodies into frames.
    enum Cut: CaseIterable {
        /// All as large as agreed but the last, as every broker does.
        case usual
        case anyhow
    }

    @Test(arguments: Cut.allCases, [1, 9, 50, 130, 700, .max])
    func everyByteOfEveryBodyComesToItsPlace(cut: Cut, mostAtOnce: Int) throws {
        var random = SeededRandom(seed: 1_000)
        for _ in 0..<40 {
            var (bodies, streams): ([UInt16: [[UInt8]]], [[[UInt8]]]) = ([:], [])
            for channel in Self.channels {
                let sent = (0..<Int.random(in: 1...4, using: &random)).map { _ in Self.body(&random) }
                bodies[channel] = sent
                streams.append(sent.flatMap { Self.frames(of: $0, on: channel, cut, &random) })
            }
            let source = FramesInMemory(
                Self.mixed(streams, &random), mostAtOnce: mostAtOnce, maxFrameBytes: Self.maxFrameBytes,
                channels: Set(Self.channels + [0]))
            let messages = try Self.messages(from: source)
            for channel in Self.channels {
                let came = messages[channel, default: []]
                #expect(came.map { Array($0.body.readableBytesView) } == bodies[channel])
                #expect(
                    came.map(\.bodyChecksum)
                        == bodies[channel]?.map { body in body.withUnsafeBytes { Self.checksum($0, 0) } })
            }
        }
    }

    /// Four frames by one call. The bytes of the header's read are few, so that all others go to their place.
    @Test func aLargeBodyTakesFewReads() throws {
        var random = SeededRandom(seed: 7)
        let body = Self.bytes(20 * Self.maxPayloadBytes)
        let start = AMQPFrame.deliver(channel: 2) + AMQPFrame.header(channel: 2, bodyBytes: UInt64(body.count))
        let frames = Self.parts(of: body, .usual, &random).flatMap { AMQPFrame.body(channel: 2, $0) }
        // As if the broker had paused behind the header.
        let source = FramesInMemory(start, then: frames, maxFrameBytes: Self.maxFrameBytes)
        #expect(try Self.messages(from: source)[2]?.map { Array($0.body.readableBytesView) } == [body])
        #expect(source.source.reads == 1 + 5)
    }

    @Test(arguments: [
        AMQPFrame.raw(type: 4, channel: 2, [1]),
        AMQPFrame.raw(type: 0, channel: 2, []),
        // What librabbitmq would read past the end of.
        AMQPFrame.raw(type: 1, channel: 2, [0, 60, 0]),
        AMQPFrame.raw(type: 2, channel: 2, [0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        announcing(500) + AMQPFrame.body(channel: 2, bytes(121)),
        AMQPFrame.raw(type: 3, channel: 2, [], size: .max),
        AMQPFrame.raw(type: 3, channel: 2, [1]),
        AMQPFrame.raw(type: 3, channel: 2, []),
        AMQPFrame.delivery(channel: 2, [1]).dropLast() + [0] + AMQPFrame.deliver(channel: 2),
        announcing(200) + AMQPFrame.raw(type: 3, channel: 2, bytes(120), end: 0)
            + AMQPFrame.body(channel: 2, bytes(80)),
        announcing(121) + AMQPFrame.body(channel: 2, bytes(120)) + AMQPFrame.body(channel: 2, [1, 2]),
        announcing(5) + AMQPFrame.body(channel: 2, bytes(6)),
    ])
    func whatIsNoFrameEndsTheConnection(bytes: [UInt8]) {
        for mostAtOnce in [1, 20, 150, Int.max] {
            let source = FramesInMemory(bytes, mostAtOnce: mostAtOnce, maxFrameBytes: Self.maxFrameBytes)
            let error = #expect(throws: AMQPError.self) { try Self.messages(from: source) }
            #expect(error?.kind == .protocolViolation)
        }
    }

    /// What came without it may have been cut off.
    @Test(arguments: [1, 1_000])
    func aMessageIsWholeOnlyWithItsLastEndMark(mostAtOnce: Int) throws {
        for body in [[1, 2, 3], Self.bytes(300)] {
            let parts = [body.prefix(120), body.dropFirst(120).prefix(120), body.dropFirst(240)].filter { !$0.isEmpty }
            let frames = Self.announcing(UInt64(body.count)) + parts.flatMap { AMQPFrame.body(channel: 2, Array($0)) }
            for then in [[], [0xCE] as [UInt8]] {
                let source = FramesInMemory(
                    frames.dropLast(), then: then, mostAtOnce: mostAtOnce, maxFrameBytes: Self.maxFrameBytes)
                #expect(try Self.messages(from: source)[2]?.count == (then.isEmpty ? nil : 1))
            }
        }
    }

    @Test func aBodyOverTheLimitIsNotKept() throws {
        let large = Self.announcing(1_001) + (0..<9).flatMap { _ in AMQPFrame.body(channel: 2, Self.bytes(111)) }
        let source = FramesInMemory(
            large + AMQPFrame.body(channel: 2, [1, 2]) + AMQPFrame.delivery(channel: 2, [9]), mostAtOnce: 300,
            maxFrameBytes: Self.maxFrameBytes)
        #expect(try Self.messages(from: source, maxBodyBytes: 1_000)[2]?.map(\.body) == [ByteBuffer(bytes: [9])])
    }

    // MARK: Frames

    private static func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0) } }

    private static func announcing(_ count: UInt64) -> [UInt8] {
        AMQPFrame.deliver(channel: 2) + AMQPFrame.header(channel: 2, bodyBytes: count)
    }

    private static func body(_ random: inout SeededRandom) -> [UInt8] {
        let whole = Int.random(in: 0...9, using: &random) * maxPayloadBytes
        let count = Bool.random(using: &random) ? whole : whole + Int.random(in: 1..<maxPayloadBytes, using: &random)
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }

    private static func parts(of body: [UInt8], _ cut: Cut, _ random: inout SeededRandom) -> [[UInt8]] {
        var (parts, rest): ([[UInt8]], ArraySlice<UInt8>) = ([], body[...])
        while !rest.isEmpty {
            let count = cut == .usual ? maxPayloadBytes : Int.random(in: 0...maxPayloadBytes, using: &random)
            parts.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        return parts
    }

    private static func frames(
        of body: [UInt8], on channel: UInt16, _ cut: Cut, _ random: inout SeededRandom
    ) -> [[UInt8]] {
        [AMQPFrame.deliver(channel: channel), AMQPFrame.header(channel: channel, bodyBytes: UInt64(body.count))]
            + parts(of: body, cut, &random).map { AMQPFrame.body(channel: channel, $0) }
    }

    /// The frames of all channels as they may come: mostly some of one channel in a row, and heartbeats anywhere.
    private static func mixed(_ streams: [[[UInt8]]], _ random: inout SeededRandom) -> [UInt8] {
        var (bytes, left): ([UInt8], [ArraySlice<[UInt8]>]) = ([], streams.map { $0[...] })
        while let stream = left.indices.filter({ !left[$0].isEmpty }).randomElement(using: &random) {
            for _ in 0..<Int.random(in: 1...8, using: &random) { bytes += left[stream].popFirst() ?? [] }
            if Int.random(in: 0..<4, using: &random) == 0 { bytes += AMQPFrame.raw(type: 8, channel: 0, []) }
        }
        return bytes
    }

    private static func messages(
        from source: FramesInMemory, maxBodyBytes: Int = 10_000
    ) throws(AMQPError) -> [UInt16: [Message]] {
        var reader = FrameReader(maxBodyBytes: maxBodyBytes, checksum: checksum)
        var messages: [UInt16: [Message]] = [:]
        var rounds = 0
        // A byte at a time, each takes at most a round for itself and one for its frame.
        while !source.isAtEnd, rounds < 200_000 {
            rounds += 1
            _ = try reader.readFrame(from: source) { (event, channel) in
                if case .content(_, let message) = event { messages[channel, default: []].append(message) }
            }
        }
        #expect(source.isAtEnd)
        return messages
    }
}

@Suite struct ByteStreamTests {
    private func read(_ stream: ByteStream, _ counts: [Int]) throws(AMQPError) -> [UInt8]? {
        let places = counts.map { UnsafeMutableRawBufferPointer.allocate(byteCount: $0, alignment: 1) }
        defer { for place in places { place.deallocate() } }
        var vectors = places.map { iovec(iov_base: $0.baseAddress, iov_len: $0.count) }
        var count: Int?
        var failure: AMQPError?
        vectors.withUnsafeMutableBufferPointer { vectors in
            do throws(AMQPError) { count = try stream.read(into: vectors) } catch { failure = error }
        }
        if let failure { throw failure }
        return count.map { Array(places.flatMap { Array($0) }.prefix($0)) }
    }

    @Test func aSocketFillsOnePlaceAfterTheOtherAndNeverWaits() throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { close(ends[0]) }
        let stream = ByteStream.socket(ends[0])
        #expect(try read(stream, [3]) == nil)
        #expect(write(ends[1], [1, 2, 3, 4, 5] as [UInt8], 5) == 5)
        #expect(try read(stream, [1, 2, 4]) == [1, 2, 3, 4, 5])
        close(ends[1])
        #expect(#expect(throws: AMQPError.self) { try read(stream, [3]) }?.kind == .connectionLost)
    }
}
