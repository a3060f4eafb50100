public import NIOCore
internal import NIOPosix

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Asks a running process of the same service whether it is ready: what `--healthcheck` does, for images that have no other
/// HTTP client.
public struct HealthInquiry: Sendable {
    /// Puts what is needed, TLS for one, into a connection before it is used.
    public typealias Preparation = @Sendable (any Channel) throws -> Void

    /// How long it may take in all; Docker's own limit is longer.
    static let maxSeconds: Int64 = 3
    /// The longest answer that is read.
    static let maxAnswerBytes = 65_536

    private let portVariables: [String]
    private let preparation: @Sendable (Settings) -> Preparation?

    /// - Parameters:
    ///   - portVariables: The settings that may say at which port it is, the first that is there counts.
    ///   - preparation: What has to be done with a connection, by the settings of the process.
    public init(
        portVariables: [String] = ["PORT"], preparation: @escaping @Sendable (Settings) -> Preparation? = { _ in nil }
    ) {
        self.portVariables = portVariables
        self.preparation = preparation
    }

    /// Asks.
    ///
    /// - Parameter settings: The settings of the process that is asked.
    /// - Returns: Whether it is ready, and a line that says so.
    func ask(_ settings: Settings) async -> (isReady: Bool, line: String) {
        let variable = portVariables.first { settings.optionalText($0) != nil } ?? "PORT"
        let address: (host: String, port: Int)
        do {
            let port = try settings.number(
                variable, meaning: "the port that is asked", in: 1...65_535, default: nil)
            address = (Self.loopback(settings.optionalText("HOST")), port)
        } catch {
            return (false, "\(error)")
        }
        do {
            let answer = try await answer(address.host, address.port, preparation(settings))
            return Self.read(answer)
        } catch {
            return (false, "no answer from \(address.host):\(address.port): \(error)")
        }
    }

    /// Where a process that listens at all addresses is found.
    private static func loopback(_ host: String?) -> String {
        switch host {
        case nil, "0.0.0.0": "127.0.0.1"
        case "::": "::1"
        case .some(let host): host
        }
    }

    private func answer(_ host: String, _ port: Int, _ preparation: Preparation?) async throws -> ByteBuffer {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let promise = loop.makePromise(of: ByteBuffer.self)
        let end = loop.scheduleTask(in: .seconds(Self.maxSeconds)) { promise.fail(TookTooLong()) }
        ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try preparation?(channel)
                    try channel.pipeline.syncOperations.addHandler(AnswerCollector(promise))
                }
            }
            .connect(host: host, port: port)
            .flatMap { channel in
                let request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                return channel.writeAndFlush(ByteBuffer(string: request))
            }
            .cascadeFailure(to: promise)
        defer { end.cancel() }
        return try await promise.futureResult.get()
    }

    private static func read(_ answer: ByteBuffer) -> (isReady: Bool, line: String) {
        let text = String(buffer: answer)
        let isReady = text.hasPrefix("HTTP/1.1 200 ")
        guard let end = text.firstRange(of: "\r\n\r\n"),
            let document = try? JSONDecoder().decode(Health.Document.self, from: Data(text[end.upperBound...].utf8))
        else { return (false, "what answers is no service of Millrace") }
        let reasons = (document.problems ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        return (isReady, reasons.isEmpty ? document.status : "\(document.status): \(reasons.joined(separator: "; "))")
    }

    private struct TookTooLong: Error, CustomStringConvertible {
        let description = "it took longer than \(HealthInquiry.maxSeconds) s"
    }
}

/// Takes everything that comes until the connection ends.
private final class AnswerCollector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private struct TooLong: Error {}

    private let promise: EventLoopPromise<ByteBuffer>
    private var answer = ByteBuffer()

    init(_ promise: EventLoopPromise<ByteBuffer>) {
        self.promise = promise
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var piece = unwrapInboundIn(data)
        answer.writeBuffer(&piece)
        guard answer.readableBytes > HealthInquiry.maxAnswerBytes else { return }
        promise.fail(TooLong())
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        promise.succeed(answer)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The other side may end TLS without saying so; what came is what counts.
        if answer.readableBytes > 0 { promise.succeed(answer) } else { promise.fail(error) }
        context.close(promise: nil)
    }
}
