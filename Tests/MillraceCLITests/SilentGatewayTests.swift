import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import MillraceCLI

/// Uploads to what takes connections as a gateway does, over real sockets, and then behaves oddly.
struct SilentGatewayTests {
    private static let bytes = Data(repeating: 7, count: 3 * FileBytes.pieceBytes)

    @Test(.timeLimit(.minutes(1))) func whoTakesAllAndNeverAnswersIsGivenUp() async throws {
        let error = try await #require(throws: GatewayClient.Failure.self) {
            try await Self.upload(to: { _ in })
        }
        #expect(error.description.hasSuffix("has neither taken bytes nor answered for 1 s."))
        #expect(error.description.contains("http://127.0.0.1:"))
    }

    @Test(.timeLimit(.minutes(1))) func whoTakesNothingIsGivenUp() async throws {
        let error = try await #require(throws: GatewayClient.Failure.self) {
            // More than the sockets' buffers hold.
            try await Self.upload(Data(repeating: 7, count: 64 << 20), pace: .nothing, to: { _ in })
        }
        #expect(error.description.hasSuffix("has neither taken bytes nor answered for 1 s."))
    }

    @Test(.timeLimit(.minutes(1))) func whoTakesBytesAllTheTimeMayTakeLonger() async throws {
        let start = ContinuousClock.now
        // Two thirds of it with some 6 MB a second: two and a half seconds at the least.
        let answer = try await Self.upload(
            Data(repeating: 7, count: 24 << 20), pace: .slow, silence: .seconds(2), to: Self.isFull)
        #expect(answer.status == 507)
        #expect(start.duration(to: .now) > .seconds(2))
    }

    @Test(.timeLimit(.minutes(1))) func whoAnswersIsHeard() async throws {
        let answer = try await Self.upload(to: Self.isFull)
        #expect(answer.status == 507 && answer.words == "Full")
    }

    private static func isFull(_ channel: any Channel) {
        let text = "HTTP/1.1 507 Full\r\nContent-Length: 17\r\n\r\n{\"detail\":\"Full\"}"
        channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
    }

    /// How the listener takes bytes.
    private enum Pace {
        case full, slow, nothing
    }

    /// Sends a file to a listener.
    private static func upload(
        _ bytes: Data = bytes, pace: Pace = .full, silence: Duration = .seconds(1),
        to answers: @escaping @Sendable (any Channel) -> Void
    ) async throws -> GatewayClient.Answer {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("millrace-\(UUID().uuidString)")
        try bytes.write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_rcvbuf), value: 65_536)
            .childChannelOption(.autoRead, value: pace == .full)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 65_536))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if pace == .slow {
                        channel.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(10)) { task in
                            if channel.isActive { channel.read() } else { task.cancel() }
                        }
                    }
                    // Slow to the end, it would answer long after the kernel has taken the last bytes from the client.
                    let handler = AnswerAtEnd(
                        after: bytes.count, hurryAt: pace == .slow ? bytes.count / 3 : nil, answers)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        let client = try GatewayClient(address: "http://127.0.0.1:\(port)", token: "token")
        let result: Result<GatewayClient.Answer, any Error>
        do {
            result = .success(
                try await client.upload(
                    "/videos/x/content", FileBytes(file: file), length: Int64(bytes.count), fields: [],
                    silence: silence))
        } catch {
            result = .failure(error)
        }
        try await listener.close()
        return try result.get()
    }
}

/// Answers when so many bytes of a body, and the head before it, have come.
private final class AnswerAtEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let answers: @Sendable (any Channel) -> Void
    private var hurryAt: Int?
    private var left: Int

    init(after bytes: Int, hurryAt: Int?, _ answers: @escaping @Sendable (any Channel) -> Void) {
        left = bytes
        self.hurryAt = hurryAt
        self.answers = answers
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let before = left
        left -= unwrapInboundIn(data).readableBytes
        if let hurryAt, left <= hurryAt {
            self.hurryAt = nil
            context.channel.setOption(.autoRead, value: true).whenFailure { error in
                Issue.record("The listener cannot read faster: \(error)")
            }
        }
        if before > 0, left <= 0 { answers(context.channel) }
    }
}
