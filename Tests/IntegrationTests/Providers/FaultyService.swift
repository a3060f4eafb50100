import Domain
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import TestKit

@testable import VideoStorage

/// An HTTP server in front of a storage service that fails now and then, at random but repeatably, as services and networks
/// do: it refuses, answers late or never, breaks off, or flips a bit on the way there or back.
final class FaultyService: Sendable {
    /// What may become of a request.
    enum Fault: CaseIterable, Sendable {
        case internalError
        case busy
        case tooManyRequests
        /// The request is carried out and the answer says that it was not.
        case doneButRefused
        /// The request is carried out and there is no answer.
        case doneButCut
        case cut
        case shortBody
        case flippedAnswer
        case flippedRequest
        case silence
    }

    /// Where clients connect to.
    let port: Int
    private let listener: any Channel

    private init(listener: any Channel) {
        self.listener = listener
        port = listener.localAddress?.port ?? 0
    }

    /// Runs a test with a faulty service in front of a server of this machine.
    ///
    /// - Parameters:
    ///   - endpoint: The server.
    ///   - share: Which share of the requests fails, from 0 to 1.
    ///   - seed: The same seed gives the same faults.
    ///   - body: The test.
    /// - Throws: What the test throws.
    static func run(
        before endpoint: ServiceEndpoint, share: Double, seed: UInt64, _ body: (FaultyService) async throws -> Void
    ) async throws {
        let connections = ServiceConnections(maxConnections: 64)
        let state = Mutex(SeededRandom(seed: seed))
        let choose: @Sendable () -> Fault? = {
            state.withLock { random in
                Double.random(in: 0..<1, using: &random) < share ? Fault.allCases.randomElement(using: &random) : nil
            }
        }
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.pipeline.configureHTTPServerPipeline().flatMapThrowing {
                    try channel.pipeline.syncOperations.addHandler(
                        Forwarder(endpoint: endpoint, connections: connections, choose: choose))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let service = FaultyService(listener: listener)
        do {
            try await body(service)
        } catch {
            try? await listener.close()
            await connections.shutdown()
            throw error
        }
        try await listener.close()
        await connections.shutdown()
    }

    /// A request that has arrived whole, and what is to become of it.
    private struct Request: Sendable {
        let head: HTTPRequestHead
        let body: ByteBuffer
        let fault: Fault?
        let endpoint: ServiceEndpoint
        let connections: ServiceConnections
        let channel: any Channel
    }

    private final class Forwarder: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let endpoint: ServiceEndpoint
        private let connections: ServiceConnections
        private let choose: @Sendable () -> Fault?
        private var head: HTTPRequestHead?
        private var body = ByteBuffer()

        init(endpoint: ServiceEndpoint, connections: ServiceConnections, choose: @escaping @Sendable () -> Fault?) {
            self.endpoint = endpoint
            self.connections = connections
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
                    head: head, body: body, fault: choose(), endpoint: endpoint, connections: connections,
                    channel: context.channel)
                Self.start(request)
            }
        }

        private static func start(_ request: Request) {
            Task { await answer(request) }
        }

        private static func answer(_ request: Request) async {
            let (head, body, fault, channel) = (request.head, request.body, request.fault, request.channel)
            switch fault {
            case .internalError: return await send(HTTPReply(500), to: channel, head)
            case .busy: return await send(HTTPReply(503), to: channel, head)
            case .tooManyRequests: return await send(HTTPReply(429), to: channel, head)
            case .cut: return channel.close(promise: nil)
            case .silence: return
            default: break
            }
            var call = HTTPCall(method: head.method, path: head.uri, headers: head.headers)
            call.headers.remove(name: "Content-Length")
            call.maxReplyBytes = 64 << 20
            if body.readableBytes > 0 || head.method == .PUT || head.method == .POST {
                call.body = fault == .flippedRequest ? flipped(body) : body
            }
            let path = ServiceEndpoint.bare(request.endpoint)
            guard var reply = try? await request.connections.send(call, to: path, deadline: .patient) else {
                return channel.close(promise: nil)
            }
            switch fault {
            case .doneButRefused: reply = HTTPReply(500)
            case .doneButCut: return channel.close(promise: nil)
            case .flippedAnswer: reply.body = flipped(reply.body)
            default: break
            }
            await send(reply, to: channel, head, breaksOff: fault == .shortBody)
        }

        private static func send(
            _ reply: HTTPReply, to channel: any Channel, _ request: HTTPRequestHead, breaksOff: Bool = false
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

        /// The bytes with one bit changed, somewhere.
        private static func flipped(_ buffer: ByteBuffer) -> ByteBuffer {
            guard buffer.readableBytes > 0 else { return buffer }
            var bytes = Array(buffer.readableBytesView)
            bytes[Int.random(in: 0..<bytes.count)] ^= 1 << UInt8.random(in: 0..<8)
            return ByteBuffer(bytes: bytes)
        }
    }
}

extension HTTPReply {
    /// An answer that says nothing but its status.
    fileprivate init(_ status: Int) {
        self.init(status: status, headers: [:], body: ByteBuffer())
    }
}

extension ServiceEndpoint {
    /// The server itself: a request that is forwarded has its whole path already.
    fileprivate static func bare(_ endpoint: ServiceEndpoint) -> ServiceEndpoint {
        (try? ServiceEndpoint("\(endpoint.scheme)://\(endpoint.host)")) ?? endpoint
    }
}
