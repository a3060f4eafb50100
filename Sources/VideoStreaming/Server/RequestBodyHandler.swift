import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Stands between the parser and the server, on the connection's event loop: marks where a body truly ends, and tells a
/// client that asked for it that it may send (`100 Continue`, RFC 9110 section 10.1.1).
///
/// The mark is an empty piece of body. The parser never makes one, and whoever reads a body as bytes does not notice it.
final class RequestBodyHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// The event that says: the body is wanted.
    struct Wanted: Sendable {}

    private var hasBody = false

    /// Whether a piece of a body is the mark of its end.
    static func isEnd(_ piece: ByteBuffer) -> Bool { piece.readableBytes == 0 }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            hasBody = head.headerFields[.transferEncoding] != nil || head.headerFields[.contentLength] ?? "0" != "0"
        case .body:
            break
        case .end:
            if hasBody { context.fireChannelRead(wrapInboundOut(.body(ByteBuffer()))) }
            hasBody = false
        }
        context.fireChannelRead(data)
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard event is Wanted else { return context.triggerUserOutboundEvent(event, promise: promise) }
        context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: promise)
    }
}
