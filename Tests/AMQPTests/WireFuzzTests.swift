import CRabbitMQ
import NIOCore
import TestKit
import Testing

@testable import AMQP

/// Frames and tables at random (the seed is in the code), read by librabbitmq and by what stands on it: whatever comes, it
/// is understood or refused. With MILLRACE_LONG_TESTS=1 there are twenty times as many.
@Suite struct WireFuzzTests {
    private static let factor = LongRuns.areWanted ? 20 : 1
    private static let sequences = factor * 30_000
    private static let tables = factor * 30_000
    private static let seed: UInt64 = 9_221
    private static let maxBodyBytes = 64

    @Test func noSequenceOfFramesBreaksTheReader() async throws {
        var random = RandomFrames(seed: Self.seed)
        var (understood, refused) = (0, 0)
        for number in 0..<Self.sequences {
            if number.isMultiple(of: 100) { await Task.yield() }
            let source = FramesInMemory(random.next(), mostAtOnce: number % 40 + 1)
            var reader = FrameReader(maxBodyBytes: Self.maxBodyBytes)
            do throws(AMQPError) {
                try Self.readAll(&reader, source, &understood)
            } catch {
                refused += 1
                #expect([.connectionLost, .protocolViolation].contains(error.kind))
                #expect(error.message.utf8.count < 1_500)
            }
        }
        print(
            "fuzz: \(Self.sequences) sequences of frames, seed \(Self.seed): \(understood) events, \(refused) refused")
        #expect(understood > Self.sequences / 2)
        #expect(refused > Self.sequences / 10)
    }

    /// Else what belongs to a message would be held until its end, which may never come.
    @Test func theMemoryOfAFrameIsGivenBackBeforeTheMessageIsWhole() throws {
        let frames =
            AMQPFrame.deliver(channel: 2) + AMQPFrame.header(channel: 2, bodyBytes: .max)
            + AMQPFrame.body(channel: 2, [1, 2, 3]) + AMQPFrame.body(channel: 2, [4, 5, 6])
        let source = FramesInMemory(frames)
        var reader = FrameReader(maxBodyBytes: Self.maxBodyBytes)
        var understood = 0
        try Self.readAll(&reader, source, &understood)
        #expect(understood == 0)
        #expect(source.releases == 4)
    }

    private static func readAll(
        _ reader: inout FrameReader, _ source: FramesInMemory, _ understood: inout Int
    ) throws(AMQPError) {
        var events = 0
        defer { understood += events }
        var rounds = 0
        while !source.isAtEnd, rounds < 10_000 {
            rounds += 1
            _ = try reader.readFrame(from: source) { (event, _) in
                events += 1
                if case .content(_, let message) = event { #expect(message.body.readableBytes <= maxBodyBytes) }
            }
        }
        #expect(source.isAtEnd)
    }

    @Test func noTableBreaksTheDecoderAndWhatWasReadCanBeWritten() async throws {
        var random = RandomFrames(seed: Self.seed)
        var (understood, refused) = (0, 0)
        for number in 0..<Self.tables {
            if number.isMultiple(of: 100) { await Task.yield() }
            guard let table = Self.decode(random.table(depth: 0)) else {
                refused += 1
                continue
            }
            understood += 1
            // Compared as bytes: a number that is none is not equal to itself.
            let written = try #require(Self.encode(table))
            let again = try #require(Self.decode(written))
            #expect(Self.encode(again) == written)
        }
        print("fuzz: \(Self.tables) tables, seed \(Self.seed): \(understood) understood, \(refused) refused")
        #expect(understood > Self.tables / 4)
        #expect(refused > Self.tables / 20)
    }

    private static func decode(_ bytes: [UInt8]) -> FieldTable? {
        var pool = amqp_pool_t()
        init_amqp_pool(&pool, 4_096)
        defer { empty_amqp_pool(&pool) }
        var bytes = bytes
        return bytes.withUnsafeMutableBytes { buffer in
            var (table, offset) = (amqp_table_t(), 0)
            let encoded = amqp_bytes_t(len: buffer.count, bytes: buffer.baseAddress)
            guard amqp_decode_table(encoded, &pool, &table, &offset) >= 0 else { return nil }
            return WireDecoder.table(table, depth: 0)
        }
    }

    private static func encode(_ table: FieldTable) -> [UInt8]? {
        let encoder = WireEncoder()
        defer { encoder.reset() }
        var (wire, offset) = (encoder.table(table), 0)
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let status = bytes.withUnsafeMutableBytes {
            amqp_encode_table(amqp_bytes_t(len: $0.count, bytes: $0.baseAddress), &wire, &offset)
        }
        return status >= 0 ? Array(bytes[..<offset]) : nil
    }
}
