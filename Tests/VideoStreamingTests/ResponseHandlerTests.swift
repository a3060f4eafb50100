import HTTPTypes
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
}
