import Domain
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@testable import VideoStorage

/// A storage service whose answer comes byte by byte, so that it never falls silent.
@Suite(.timeLimit(.minutes(1))) struct SlowAnswerTests {
    /// Sends a head, and then a byte of the body each 20 ms.
    private final class Dripping: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
            context.writeAndFlush(NIOAny(ByteBuffer(string: head)), promise: nil)
            let channel = context.channel
            context.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(20)) { task in
                guard channel.isActive else { return task.cancel() }
                channel.writeAndFlush(ByteBuffer(string: "a"), promise: nil)
            }
        }
    }

    @Test func theDeadlineHoldsForTheBodyAsWell() async throws {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Dripping()) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        let connections = ServiceConnections(maxConnections: 1)
        let start = ContinuousClock.now
        let result = await failureCode {
            _ = try await connections.send(
                HTTPCall(method: .GET, path: "/film"), to: ServiceEndpoint("http://127.0.0.1:\(port)"),
                deadline: .after(.milliseconds(500)))
        }
        #expect(result == .deadlineExceeded)
        #expect(start.duration(to: .now) < .seconds(20))
        await connections.shutdown()
        try await listener.close()
    }
}
