public import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A client on a bare TCP connection: sends what it is given, be it HTTP or not, and reads only when it is asked to.
///
/// It shows what a library would hide: a body that is too short, bytes after a body, a connection that is closed.
public struct RawHTTPConnection {
    /// The connection did not bring what was expected.
    public struct Unexpected: Error {
        /// What came instead.
        public var received: String
    }

    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private let channel: any Channel
    private var received = ByteBuffer()

    /// Connects to a port of this machine, and closes the connection when the work is done.
    ///
    /// - Parameters:
    ///   - port: Where to connect.
    ///   - receiveBufferBytes: The kernel's receive buffer, to make a viewer that takes little; `nil` leaves it alone.
    ///   - work: What to do with the connection.
    /// - Returns: What the work returns.
    /// - Throws: What the work throws, or that there is no connection.
    public static func connected<Value>(
        toPort port: Int, receiveBufferBytes: Int? = nil,
        _ work: (inout RawHTTPConnection) async throws -> Value
    ) async throws -> Value {
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        if let receiveBufferBytes {
            bootstrap = bootstrap.channelOption(
                ChannelOptions.socketOption(.so_rcvbuf), value: SocketOptionValue(receiveBufferBytes))
        }
        let channel = try await bootstrap.connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                    wrappingChannelSynchronously: channel,
                    configuration: .init(
                        backPressureStrategy: .init(lowWatermark: 1, highWatermark: 2),
                        isOutboundHalfClosureEnabled: true))
            }
        }
        return try await channel.executeThenClose { inbound, outbound in
            var connection = RawHTTPConnection(
                inbound: inbound.makeAsyncIterator(), outbound: outbound, channel: channel.channel)
            return try await work(&connection)
        }
    }

    /// Sends text as it is.
    public func send(_ text: String) async throws {
        try await outbound.write(ByteBuffer(string: text))
    }

    /// Sends bytes as they are.
    public func send(_ bytes: ByteBuffer) async throws {
        try await outbound.write(bytes)
    }

    /// Sends a request without a body.
    public func request(_ method: String, _ target: String, _ fields: [String] = []) async throws {
        let lines = ["\(method) \(target) HTTP/1.1", "Host: test"] + fields
        try await send(lines.joined(separator: "\r\n") + "\r\n\r\n")
    }

    /// Closes the sending side only.
    public func finishSending() {
        outbound.finish()
    }

    /// Closes the connection with a reset, as the kernel does for a client that leaves with bytes unread.
    public func reset() async throws {
        try await (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        try await channel.close()
    }

    /// Reads a head and nothing of the body.
    public mutating func head() async throws -> RawHTTPResponse {
        let end = Array("\r\n\r\n".utf8)
        while true {
            let view = received.readableBytesView
            if let index = view.indices.first(where: { view[$0...].starts(with: end) }) {
                let text = received.readString(length: index - view.startIndex) ?? ""
                received.moveReaderIndex(forwardBy: end.count)
                guard let response = RawHTTPResponse(head: text) else { throw Unexpected(received: text) }
                return response
            }
            guard try await receive() else { throw Unexpected(received: String(buffer: received)) }
        }
    }

    /// Reads a whole response; the body as far as it comes.
    ///
    /// - Parameter hasBody: Whether a body follows the head: not after HEAD.
    /// - Returns: The response; it says itself whether its body is whole.
    /// - Throws: ``Unexpected`` when not even a head comes.
    public mutating func response(hasBody: Bool = true) async throws -> RawHTTPResponse {
        var response = try await head()
        let length = hasBody && response.status != 304 ? Int(response["content-length"] ?? "0") ?? 0 : 0
        response.body = try await bytes(length)
        response.isComplete = response.body.readableBytes == length
        return response
    }

    /// Reads as many bytes, or fewer when the connection ends before.
    public mutating func bytes(_ count: Int) async throws -> ByteBuffer {
        while received.readableBytes < count, try await receive() {}
        return received.readSlice(length: min(count, received.readableBytes)) ?? ByteBuffer()
    }

    /// Everything until the server closes the connection.
    public mutating func rest() async throws -> ByteBuffer {
        while try await receive() {}
        return received.readSlice(length: received.readableBytes) ?? ByteBuffer()
    }

    private mutating func receive() async throws -> Bool {
        do {
            guard var next = try await inbound.next(isolation: #isolation) else { return false }
            received.discardReadBytes()
            received.writeBuffer(&next)
            return true
        } catch is IOError {
            return false  // reset by the server, which is an end like any other
        }
    }
}
