import Domain
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@testable import VideoStorage

/// Answers of a storage service that are whole, too long, or broken off.
@Suite(.timeLimit(.minutes(1))) struct ServiceConnectionsTests {
    /// Gives each request the same bytes, and closes.
    private final class Answering: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let answer: String

        init(_ answer: String) {
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.writeAndFlush(NIOAny(ByteBuffer(string: answer)), promise: nil)
            context.close(promise: nil)
        }
    }

    private func reply(
        to method: HTTPMethod = .GET, _ answer: String, maxBytes: Int = 100
    ) async throws -> Result<HTTPReply, ServiceError> {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answering(answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let endpoint = try ServiceEndpoint("http://127.0.0.1:\(try #require(listener.localAddress?.port))")
        let connections = ServiceConnections(maxConnections: 1)
        let call = HTTPCall(method: method, path: "/film", maxReplyBytes: maxBytes)
        let result: Result<HTTPReply, ServiceError>
        do throws(ServiceError) {
            result = .success(try await connections.send(call, to: endpoint, deadline: .patient))
        } catch {
            result = .failure(error)
        }
        await connections.shutdown()
        try await listener.close()
        return result
    }

    @Test(arguments: [
        "Content-Length: 10\r\n\r\n0123456789",
        "Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n",
        "Connection: close\r\n\r\n0123456789",
    ])
    func aWholeAnswerIsGivenHoweverItTellsItsEnd(_ rest: String) async throws {
        let reply = try await reply("HTTP/1.1 206 Partial\r\nX-Field: a\r\n\(rest)", maxBytes: 10).get()
        #expect(reply.status == 206)
        #expect(reply.headers.first(name: "X-Field") == "a")
        #expect(String(buffer: reply.body) == "0123456789")
    }

    @Test func anAnswerToHEADHasALengthAndNoBody() async throws {
        let reply = try await reply(to: .HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n").get()
        #expect(reply.headers.first(name: "Content-Length") == "5000")
        #expect(reply.body.readableBytes == 0)
    }

    @Test(arguments: [
        ("Content-Length: 101\r\n\r\n", ServiceError.Code.internal),
        ("Connection: close\r\n\r\n" + String(repeating: "a", count: 101), .internal),
        ("Content-Length: 10\r\n\r\n012345678", .unavailable),
        ("Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n", .unavailable),
    ])
    func anAnswerThatIsTooLongOrBrokenOffIsNone(_ rest: String, _ expected: ServiceError.Code) async throws {
        let result = try await reply("HTTP/1.1 200 OK\r\n\(rest)")
        guard case .failure(let error) = result else {
            Issue.record("there was an answer")
            return
        }
        #expect(error.code == expected)
    }
}
