import CRabbitMQ
import Glibc
import NIOCore
import Testing

@testable import AMQP

/// What librabbitmq itself writes is the measure: the bytes have to be the same.
@Suite struct FrameWriterTests {
    private static let maxFrameBytes = 4_096

    private static let properties = MessageProperties(
        type: "storage.read.v1", contentType: "application/octet-stream", correlationID: "17", messageID: "a/17",
        replyTo: "millrace.reply.a", expirationMilliseconds: 30_000, appID: "test",
        headers: ["attempt": .int(1), "name": .string("ä b"), "inner": .table(["yes": .bool(true)])])

    @Test(arguments: [0, 1, 4_087, 4_088, 4_089, 8_176, 8_177, 100_000])
    func aMessageIsWrittenAsLibrabbitmqWritesIt(bodyBytes: Int) throws {
        let body = ByteBuffer(bytes: (0..<bodyBytes).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        let sockets = try SocketPair()
        let writer = FrameWriter(to: .socket(sockets.near), maxFrameBytes: Self.maxFrameBytes)
        try Self.publish(body, with: writer)
        let ours = try sockets.drain {
            _ = try writer.flush()
        } until: {
            writer.pendingBytes == 0
        }
        #expect(ours == (try librabbitmq(body)))
    }

    @Test func whatTheSocketDoesNotTakeIsWrittenLater() throws {
        let body = ByteBuffer(bytes: (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        let sockets = try SocketPair(bufferBytes: 8_192)
        let writer = FrameWriter(to: .socket(sockets.near), maxFrameBytes: 131_072)
        try Self.publish(body, with: writer)
        try Self.publish(ByteBuffer(string: "after"), with: writer)
        let all = writer.pendingBytes
        let first = try writer.flush()
        #expect(first < all)
        #expect(writer.pendingBytes == all - first)
        let bytes = try sockets.drain {
            _ = try writer.flush()
        } until: {
            writer.pendingBytes == 0
        }
        let expected = try librabbitmq(body, maxFrameBytes: 131_072) + librabbitmq(ByteBuffer(string: "after"))
        #expect(bytes.count == expected.count)
        #expect(bytes == expected)
    }

    @Test func propertiesThatDoNotFitLeaveNothingBehind() throws {
        let sockets = try SocketPair()
        let writer = FrameWriter(to: .socket(sockets.near), maxFrameBytes: Self.maxFrameBytes)
        var message = Message(properties: Self.properties, body: ByteBuffer(string: "body"))
        message.properties.headers["large"] = .string(String(repeating: "x", count: 5_000))
        let error = #expect(throws: AMQPError.self) { try Self.publish(message, with: writer) }
        #expect(error?.kind == .invalidConfiguration)
        #expect(writer.pendingBytes == 0)
        try Self.publish(ByteBuffer(string: "next"), with: writer)
        let ours = try sockets.drain {
            _ = try writer.flush()
        } until: {
            writer.pendingBytes == 0
        }
        #expect(ours == (try librabbitmq(ByteBuffer(string: "next"))))
    }

    @Test func aSocketThatIsGoneIsToldAsSuch() throws {
        let sockets = try SocketPair()
        sockets.closeFarEnd()
        let writer = FrameWriter(to: .socket(sockets.near), maxFrameBytes: Self.maxFrameBytes)
        writer.addHeartbeat()
        let error = #expect(throws: AMQPError.self) { try writer.flush() }
        #expect(error?.kind == .connectionLost)
    }

    // MARK: Both writers

    private static func publish(_ body: ByteBuffer, with writer: FrameWriter) throws {
        try publish(Message(properties: properties, body: body), with: writer)
    }

    private static func publish(_ message: Message, with writer: FrameWriter) throws {
        let encoder = WireEncoder()
        var properties = encoder.properties(message.properties)
        var method = amqp_basic_publish_t(
            ticket: 0, exchange: encoder.bytes("millrace.rpc"), routing_key: encoder.bytes("a queue"), mandatory: 1,
            immediate: 0)
        try writer.add(&method, &properties, message.body, on: 2)
    }

    /// What the library writes for the same message.
    private func librabbitmq(_ body: ByteBuffer, maxFrameBytes: Int = FrameWriterTests.maxFrameBytes) throws -> [UInt8]
    {
        let sockets = try SocketPair()
        let connection = try #require(amqp_new_connection())
        let socket = try #require(amqp_tcp_socket_new(connection))
        amqp_tcp_socket_set_sockfd(socket, dup(sockets.near))
        defer { amqp_destroy_connection(connection) }
        // After the header of the protocol has come, the library takes the connection for open.
        var header = Array("AMQP".utf8) + [0, 0, 9, 1]
        var frame = amqp_frame_t()
        header.withUnsafeMutableBytes { bytes in
            _ = amqp_handle_input(connection, amqp_bytes_t(len: bytes.count, bytes: bytes.baseAddress), &frame)
        }
        amqp_tune_connection(connection, 0, Int32(maxFrameBytes), 0)
        let encoder = WireEncoder()
        var properties = encoder.properties(Self.properties)
        var status: Int32 = 0
        let bytes = sockets.drain {
            status = body.withUnsafeReadableBytes { bytes in
                amqp_basic_publish(
                    connection, 2, encoder.bytes("millrace.rpc"), encoder.bytes("a queue"), 1, 0, &properties,
                    amqp_bytes_t(len: bytes.count, bytes: UnsafeMutableRawPointer(mutating: bytes.baseAddress)))
            }
        }
        #expect(status == AMQP_STATUS_OK.rawValue)
        return bytes
    }
}

/// Two ends of a connection inside this process.
private final class SocketPair {
    let near: Int32
    private var far: Int32

    init(bufferBytes: Int32 = 4_194_304) throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        (near, far) = (ends[0], ends[1])
        var size = bufferBytes
        setsockopt(near, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit {
        close(near)
        closeFarEnd()
    }

    func closeFarEnd() {
        guard far >= 0 else { return }
        close(far)
        far = -1
    }

    /// Writes and reads in turn.
    ///
    /// - Returns: What came out at the far end.
    func drain(_ write: () throws -> Void, until isDone: () -> Bool = { true }) rethrows -> [UInt8] {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65_536)
        repeat {
            try write()
            while true {
                let count = recv(far, &part, part.count, Int32(MSG_DONTWAIT))
                guard count > 0 else { break }
                bytes += part[..<count]
            }
        } while !isDone()
        return bytes
    }
}
