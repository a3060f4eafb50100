import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// An HTTP server in front of a storage service that fails now and then, at random but repeatably, as services and networks
/// do: it refuses, answers late or never, breaks off, or flips a bit on the way there or back.
public final class FaultyService: Sendable {
    /// What may become of a request.
    public enum Fault: CaseIterable, Sendable {
        /// 500.
        case internalError
        /// 503.
        case busy
        /// 429.
        case tooManyRequests
        /// The request is carried out and the answer says that it was not.
        case doneButRefused
        /// The request is carried out and there is no answer.
        case doneButCut
        /// The connection is closed at once.
        case cut
        /// Half of the answer comes, and then nothing more.
        case shortBody
        /// A bit of the answer is another one.
        case flippedAnswer
        /// A bit of what is carried out is another one.
        case flippedRequest
        /// Nothing happens at all.
        case silence
    }

    /// Where clients connect to.
    public let port: Int
    private let listener: any Channel

    private init(listener: any Channel) {
        self.listener = listener
        port = listener.localAddress?.port ?? 0
    }

    /// Runs a test with a faulty service in front of a server of this machine.
    ///
    /// - Parameters:
    ///   - server: The server: `http://host:port`.
    ///   - share: Which share of the requests fails, from 0 to 1.
    ///   - faults: What may become of those.
    ///   - seed: The same seed gives the same faults.
    ///   - body: The test.
    /// - Returns: What the test returns.
    /// - Throws: What the test throws.
    public static func run<Value>(
        before server: String, share: Double, faults: [Fault] = Fault.allCases, seed: UInt64,
        _ body: (FaultyService) async throws -> Value
    ) async throws -> Value {
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let state = Mutex(SeededRandom(seed: seed))
        let choose: @Sendable () -> Fault? = {
            state.withLock { random in
                Double.random(in: 0..<1, using: &random) < share ? faults.randomElement(using: &random) : nil
            }
        }
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.pipeline.configureHTTPServerPipeline().flatMapThrowing {
                    try channel.pipeline.syncOperations.addHandler(
                        Forwarder(server: server, client: client, choose: choose))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let service = FaultyService(listener: listener)
        let value: Value
        do {
            value = try await body(service)
        } catch {
            try? await listener.close()
            try? await client.shutdown()
            throw error
        }
        try await listener.close()
        try? await client.shutdown()
        return value
    }

    private static var configuration: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow, timeout: .init(connect: .seconds(3), read: .seconds(30)),
            connectionPool: .init(idleTimeout: .seconds(30), concurrentHTTP1ConnectionsPerHostSoftLimit: 64),
            decompression: .disabled)
        configuration.httpVersion = .http1Only
        configuration.connectionPool.retryConnectionEstablishment = false
        return configuration
    }

    /// An answer that has come whole.
    private struct Answer: Sendable {
        var status: Int
        var headers: HTTPHeaders = [:]
        var body = ByteBuffer()
    }

    /// A request that has arrived whole, and what is to become of it.
    private struct Request: Sendable {
        let head: HTTPRequestHead
        let body: ByteBuffer
        let fault: Fault?
        let server: String
        let client: HTTPClient
        let channel: any Channel

        /// Has it carried out. Answers may be as large as the largest blob of a test.
        func forwarded(flipping: Bool) async throws -> Answer {
            var request = HTTPClientRequest(url: server + head.uri)
            request.method = head.method
            request.headers = head.headers
            request.headers.remove(name: "Content-Length")
            if body.readableBytes > 0 || head.method == .PUT || head.method == .POST {
                request.body = .bytes(flipping ? FaultyService.flipped(body) : body)
            }
            let response = try await client.execute(request, timeout: .seconds(60))
            return Answer(
                status: Int(response.status.code), headers: response.headers,
                body: try await response.body.collect(upTo: 64 << 20))
        }
    }

    private final class Forwarder: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let server: String
        private let client: HTTPClient
        private let choose: @Sendable () -> Fault?
        private var head: HTTPRequestHead?
        private var body = ByteBuffer()

        init(server: String, client: HTTPClient, choose: @escaping @Sendable () -> Fault?) {
            self.server = server
            self.client = client
            self.choose = choose
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                self.head = head
                body.clear()
            case .body(var part): body.writeBuffer(&part)
            case .end:
                guard let head else { return }
                let request = Request(
                    head: head, body: body, fault: choose(), server: server, client: client, channel: context.channel)
                Self.start(request)
            }
        }

        private static func start(_ request: Request) {
            Task { await answer(request) }
        }

        private static func answer(_ request: Request) async {
            let (head, fault, channel) = (request.head, request.fault, request.channel)
            switch fault {
            case .internalError: return await send(Answer(status: 500), to: channel, head)
            case .busy: return await send(Answer(status: 503), to: channel, head)
            case .tooManyRequests: return await send(Answer(status: 429), to: channel, head)
            case .cut: return channel.close(promise: nil)
            case .silence: return
            default: break
            }
            guard var reply = try? await request.forwarded(flipping: fault == .flippedRequest) else {
                return channel.close(promise: nil)
            }
            switch fault {
            case .doneButRefused: reply = Answer(status: 500)
            case .doneButCut: return channel.close(promise: nil)
            case .flippedAnswer: reply.body = FaultyService.flipped(reply.body)
            default: break
            }
            await send(reply, to: channel, head, breaksOff: fault == .shortBody)
        }

        private static func send(
            _ reply: Answer, to channel: any Channel, _ request: HTTPRequestHead, breaksOff: Bool = false
        ) async {
            var headers = reply.headers
            for name in ["Transfer-Encoding", "Connection"] { headers.remove(name: name) }
            if request.method != .HEAD {
                headers.replaceOrAdd(name: "Content-Length", value: "\(reply.body.readableBytes)")
            }
            let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: reply.status), headers: headers)
            let body = breaksOff ? reply.body.getSlice(at: 0, length: reply.body.readableBytes / 2) : reply.body
            channel.write(HTTPServerResponsePart.head(head), promise: nil)
            if let body, request.method != .HEAD {
                channel.write(HTTPServerResponsePart.body(.byteBuffer(body)), promise: nil)
            }
            guard !breaksOff || reply.body.readableBytes == 0 else {
                channel.flush()
                try? await Task.sleep(for: .milliseconds(1))
                return channel.close(promise: nil)
            }
            try? await channel.writeAndFlush(HTTPServerResponsePart.end(nil))
        }
    }

    /// The bytes with one bit changed, somewhere.
    private static func flipped(_ buffer: ByteBuffer) -> ByteBuffer {
        guard buffer.readableBytes > 0 else { return buffer }
        var bytes = Array(buffer.readableBytesView)
        bytes[Int.random(in: 0..<bytes.count)] ^= 1 << UInt8.random(in: 0..<8)
        return ByteBuffer(bytes: bytes)
    }
}
