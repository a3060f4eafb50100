import HTTPTypes
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import TestKit
import Testing

@testable import VideoStreaming

/// What the handler before the encoder does when the server closes a connection.
struct ResponseHandlerTests {
    private static let body = ByteBuffer(string: "the last bytes of a film")

    private func connected() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(handler: ResponseHandler(stallLimit: .seconds(5)))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    private func answer(on channel: EmbeddedChannel, wholly: Bool) {
        channel.write(HTTPResponsePart.head(HTTPResponse(status: .ok)), promise: nil)
        channel.write(HTTPResponsePart.body(Self.body), promise: nil)
        if wholly { channel.write(HTTPResponsePart.end(nil), promise: nil) }
    }

    private func sent(on channel: EmbeddedChannel) throws -> [HTTPResponsePart] {
        var parts: [HTTPResponsePart] = []
        while let part = try channel.readOutbound(as: HTTPResponsePart.self) { parts.append(part) }
        return parts
    }

    @Test func aCloseWaitsForWhatTheViewerHasNotTakenYet() throws {
        let channel = try connected()
        let closed = Tally()
        answer(on: channel, wholly: true)
        channel.close().whenSuccess { closed.up() }
        channel.close().whenSuccess { closed.up() }
        #expect(channel.isActive)
        channel.flush()
        channel.embeddedEventLoop.run()
        #expect(!channel.isActive)
        #expect(closed.count == 2)
        #expect(try sent(on: channel) == [.head(HTTPResponse(status: .ok)), .body(Self.body), .end(nil)])
    }

    @Test func aCloseWaitsForAnAnswerThatWentAnotherWay() throws {
        let handler = ResponseHandler(stallLimit: .seconds(5))
        let channel = EmbeddedChannel(handler: handler)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let sent = try #require(handler.promiseOfAnswer())
        #expect(!handler.isClosing)
        channel.close(promise: nil)
        #expect(handler.isClosing)
        #expect(channel.isActive)
        sent.succeed()
        #expect(!channel.isActive)
        channel.embeddedEventLoop.run()
        #expect(handler.promiseOfAnswer() == nil)
    }

    @Test func aResponseThatCannotGoOnIsCutAtOnce() throws {
        let channel = try connected()
        answer(on: channel, wholly: false)
        channel.close(promise: nil)
        #expect(!channel.isActive)
        #expect(try sent(on: channel).isEmpty)
    }

    @Test func aConnectionWithNothingToSendIsClosedAtOnce() throws {
        let channel = try connected()
        answer(on: channel, wholly: true)
        channel.flush()
        #expect(try sent(on: channel).count == 3)
        channel.close(promise: nil)
        #expect(!channel.isActive)
    }

    @Test func aViewerWhoTakesNothingIsNotWaitedForForever() throws {
        let channel = try connected()
        answer(on: channel, wholly: true)
        channel.close(promise: nil)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(4_999))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(!channel.isActive)
        #expect(try sent(on: channel).isEmpty)
    }

    @Test func whatComesAfterTheCloseIsNotHeard() throws {
        let channel = try connected()
        let request = HTTPRequestPart.head(HTTPRequest(method: .get, scheme: nil, authority: nil, path: "/"))
        try channel.writeInbound(request)
        #expect(try channel.readInbound(as: HTTPRequestPart.self) == request)
        answer(on: channel, wholly: true)
        channel.close(promise: nil)
        try channel.writeInbound(request)
        #expect(try channel.readInbound(as: HTTPRequestPart.self) == nil)
        channel.flush()
        #expect(!channel.isActive)
    }

    // MARK: - Pieces

    private func exchange() -> Exchange {
        Exchange(
            request: HTTPRequest(method: .get, scheme: nil, authority: nil, path: "/"), route: "/", status: .ok,
            started: .now, trace: nil, logger: Logger(label: "test"), metrics: GatewayMetrics())
    }

    /// So many pieces of so many bytes, each of which is counted when it is asked for.
    private func pieces(_ count: Int, bytes: Int, asked: Tally) -> ReadyPieces {
        let piece = ByteBuffer(repeating: 7, count: bytes)
        asked.up()
        return ReadyPieces(piece) { asked.count < count && asked.up() <= count ? piece : nil }
    }

    private func send(
        _ pieces: ReadyPieces, on channel: EmbeddedChannel
    ) -> (sending: ResponseHandler.Sending, ended: Tally, failed: Tally) {
        let sending = ResponseHandler.Sending(pieces, exchange: exchange())
        let (ended, failed) = (Tally(), Tally())
        let done = channel.triggerUserOutboundEvent(sending)
        done.whenSuccess { ended.up() }
        done.whenFailure { _ in failed.up() }
        return (sending, ended, failed)
    }

    @Test func aPieceIsAskedForWhenTheSocketHasTakenTheOneBefore() throws {
        let socket = FullSocket()
        let channel = EmbeddedChannel(handlers: [socket, ResponseHandler(stallLimit: .seconds(5))])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let asked = Tally()
        let pieces = pieces(3, bytes: 100_000, asked: asked)
        let (sending, ended, failed) = send(pieces, on: channel)
        for taken in 1...3 {
            #expect(asked.count == taken)
            #expect(ended.count == 0)
            socket.takeOne()
        }
        #expect(ended.count == 1)
        #expect(failed.count == 0)
        #expect(pieces.isAtEnd)
        #expect(!sending.givesWay)
        #expect(socket.bytes == 300_000)
    }

    @Test func aViewerWhoTakesEverythingAtOnceGivesWay() throws {
        let channel = try connected()
        let asked = Tally()
        let pieces = pieces(20, bytes: 100_000, asked: asked)
        let first = send(pieces, on: channel)
        #expect(first.ended.count == 1)
        #expect(first.sending.givesWay)
        #expect(!pieces.isAtEnd)
        // The sixth makes it more than 512 KiB.
        #expect(asked.count == 6)
        var last = first
        while !pieces.isAtEnd { last = send(pieces, on: channel) }
        #expect(!last.sending.givesWay)
        #expect(try sent(on: channel).count == 20)
    }

    @Test func whatIsAbandonedEnds() throws {
        let socket = FullSocket()
        let channel = EmbeddedChannel(handlers: [socket, ResponseHandler(stallLimit: .seconds(5))])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let asked = Tally()
        let (sending, ended, failed) = send(pieces(3, bytes: 10, asked: asked), on: channel)
        // Somebody else's.
        channel.triggerUserOutboundEvent(ResponseHandler.Abandoned(), promise: nil)
        #expect(failed.count == 0)
        sending.abandon()
        channel.triggerUserOutboundEvent(ResponseHandler.Abandoned(), promise: nil)
        #expect(failed.count == 1)
        socket.takeOne()
        #expect(asked.count == 1)
        #expect(ended.count == 0)
    }

    @Test func aConnectionThatClosesEndsWhatIsBeingSent() throws {
        let socket = FullSocket()
        let channel = EmbeddedChannel(handlers: [socket, ResponseHandler(stallLimit: .seconds(5))])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let (_, ended, failed) = send(pieces(3, bytes: 10, asked: Tally()), on: channel)
        channel.close(promise: nil)
        channel.embeddedEventLoop.run()
        #expect((ended.count, failed.count) == (0, 1))
        // And so does what comes later.
        let late = send(pieces(3, bytes: 10, asked: Tally()), on: channel)
        #expect((late.ended.count, late.failed.count) == (0, 1))
        socket.failAll()
    }

    @Test func aViewerWhoTakesNoPieceInTimeIsCut() throws {
        let socket = FullSocket()
        let channel = EmbeddedChannel(handlers: [socket, ResponseHandler(stallLimit: .seconds(5))])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let (_, _, failed) = send(pieces(9, bytes: 10, asked: Tally()), on: channel)
        for _ in 0..<3 {
            channel.embeddedEventLoop.advanceTime(by: .seconds(4))
            socket.takeOne()
        }
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(9))
        #expect(!channel.isActive)
        #expect(failed.count == 1)
        socket.failAll()
    }
}

/// A socket that takes what it is told to, and is full until then.
private final class FullSocket: ChannelOutboundHandler {
    typealias OutboundIn = HTTPResponsePart

    private var waiting: [(Int, EventLoopPromise<Void>?)] = []
    private(set) var bytes = 0

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .body(let piece) = unwrapOutboundIn(data) else { return context.write(data, promise: promise) }
        waiting.append((piece.readableBytes, promise))
    }

    func takeOne() {
        let (count, promise) = waiting.removeFirst()
        bytes += count
        promise?.succeed()
    }

    func failAll() {
        for (_, promise) in waiting { promise?.fail(ChannelError.ioOnClosedChannel) }
        waiting = []
    }
}
