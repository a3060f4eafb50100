import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Stands between the server and the encoder, on the connection's event loop.
///
/// - It sends a response's head together with what follows it, in one system call: the first chunk is there before the head
///   is written.
/// - It cuts a viewer who takes nothing for too long. While the connection has more to send than it may hold, its time runs;
///   it begins anew when the viewer has taken enough of it.
final class ResponseHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// The event that says whose response is sent from now on.
    struct Begun: Sendable {
        let exchange: Exchange
    }

    private let stallLimit: TimeAmount
    private var holdsHead = false
    private var exchange: Exchange?
    private var fullSince: NIODeadline?
    private var timer: Scheduled<Void>?

    /// A handler that lets a viewer take nothing for so long.
    init(stallLimit: Duration) {
        self.stallLimit = TimeAmount(stallLimit)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .head(let head) = unwrapOutboundIn(data) {
            holdsHead = head.status.kind != .informational
        } else {
            holdsHead = false
        }
        context.write(data, promise: promise)
    }

    func flush(context: ChannelHandlerContext) {
        guard !holdsHead else { return }
        context.flush()
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard let begun = event as? Begun else {
            return context.triggerUserOutboundEvent(event, promise: promise)
        }
        exchange = begun.exchange
        promise?.succeed()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            fullSince = nil
        } else {
            fullSince = .now()
            if timer == nil { schedule(in: stallLimit, context) }
        }
        context.fireChannelWritabilityChanged()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        exchange = nil
    }

    private func schedule(in time: TimeAmount, _ context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: time) { self.look(context) }
    }

    private func look(_ context: ChannelHandlerContext) {
        timer = nil
        guard let fullSince else { return }
        let rest = fullSince + stallLimit - .now()
        guard rest <= .zero else { return schedule(in: rest, context) }
        exchange?.viewerStalled()
        context.close(promise: nil)
    }
}
