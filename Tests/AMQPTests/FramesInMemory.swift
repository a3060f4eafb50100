import CRabbitMQ
import Glibc
import TestKit

@testable import AMQP

/// Frames out of memory, cut and decoded as those of a connection are.
final class FramesInMemory: FrameSource {
    let source: BytesInMemory
    private let connection: amqp_connection_state_t
    private let input: FrameInput<BytesInMemory>
    private let channels: Set<UInt16>
    /// How often memory was given back.
    private(set) var releases = 0

    init(
        _ bytes: [UInt8], then rest: [UInt8] = [], mostAtOnce: Int = .max,
        maxFrameBytes: Int = Int(AMQP_DEFAULT_FRAME_SIZE),
        channels: Set<UInt16> = [2]
    ) {
        let connection: amqp_connection_state_t = amqp_new_connection()
        self.connection = connection
        // A connection begins with the header of the protocol.
        var header = Array("AMQP".utf8) + [0, 0, 9, 1]
        var frame = amqp_frame_t()
        header.withUnsafeMutableBytes { bytes in
            _ = amqp_handle_input(connection, amqp_bytes_t(len: bytes.count, bytes: bytes.baseAddress), &frame)
        }
        source = BytesInMemory(bytes, then: rest, mostAtOnce: mostAtOnce)
        input = FrameInput(from: source, decoder: connection, maxFrameBytes: maxFrameBytes)
        self.channels = channels
    }

    deinit {
        amqp_destroy_connection(connection)
    }

    /// Whether all has been read and worked on.
    var isAtEnd: Bool { !source.hasUnseenBytes && !input.hasInput }

    func receive() throws(AMQPError) -> ReceivedFrame? { try input.receive() }
    var channelInBody: UInt16? { input.channelInBody }
    func receive(into room: UnsafeMutableRawBufferPointer) throws(AMQPError) -> ReceivedBody? {
        try input.receive(into: room)
    }

    func hasOpened(_ channel: UInt16) -> Bool { channels.contains(channel) }
    func releaseBuffers(of channel: UInt16) {
        releases += 1
        amqp_maybe_release_buffers_on_channel(connection, channel)
    }
    func answered(_ answer: ChannelAnswer, on channel: UInt16) throws(AMQPError) {}
    func wasClosed(_ channel: UInt16, _ exception: ServerException) throws(AMQPError) -> AMQPError {
        AMQPError(.channelClosed(code: exception.code), exception.text)
    }
    func confirmConnectionClose() {}
}

/// Bytes that come some at a time, as those of a socket do.
final class BytesInMemory: ByteSource {
    private var bytes: [UInt8]
    private var rest: [UInt8]
    private let mostAtOnce: Int
    private var offset = 0
    private var random = SeededRandom(seed: 4_711)
    /// How often it was read from, with success.
    private(set) var reads = 0

    /// - Parameters:
    ///   - bytes: What comes at first.
    ///   - rest: What comes when that has been read.
    ///   - mostAtOnce: How many come at once at the most; `.max` for as many as there is room for.
    init(_ bytes: [UInt8], then rest: [UInt8], mostAtOnce: Int) {
        self.bytes = bytes
        self.rest = rest
        self.mostAtOnce = mostAtOnce
    }

    var hasUnseenBytes: Bool { offset < bytes.count }

    func read(into places: UnsafeMutableBufferPointer<iovec>) throws(AMQPError) -> Int? {
        guard hasUnseenBytes else { return nil }
        var left = mostAtOnce == .max ? .max : Int.random(in: 1...mostAtOnce, using: &random)
        let start = offset
        for place in places {
            let count = min(place.iov_len, left, bytes.count - offset)
            bytes[offset..<offset + count].withUnsafeBytes {
                UnsafeMutableRawBufferPointer(start: place.iov_base, count: count).copyMemory(from: $0)
            }
            offset += count
            left -= count
        }
        reads += 1
        if offset == bytes.count {
            bytes += rest
            rest = []
        }
        return offset - start
    }
}
