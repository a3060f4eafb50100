import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Stands between the server and the encoder, on the connection's event loop.
///
/// - It sends a response's head together with what follows it, in one system call: the first chunk is there before the head
///   is written.
/// - It cuts a viewer who takes nothing for too long. While the connection has more to send than it may hold, its time runs;
///   it begins anew when the viewer has taken enough of it.
/// - It closes a connection only after what was answered has been sent. The server closes as soon as it has written an
///   answer's end, when it shuts down or a client has asked for it; NIO would drop what the viewer has not taken until then.
///   A response that cannot go on is still cut at once.
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
    private var context: ChannelHandlerContext?
    private var holdsHead = false
    private var exchange: Exchange?
    private var fullSince: NIODeadline?
    private var timer: Scheduled<Void>?
    /// Between a response's head and its end.
    private var isAnswering = false
    /// How many responses have been written to their end, and have bytes that the connection has not taken.
    private var unsentAnswers = 0
    /// Who waits for a close that waits for these.
    private var closing: EventLoopPromise<Void>?
    private var closeTimer: Scheduled<Void>?

    /// A handler that lets a viewer take nothing for so long.
    init(stallLimit: Duration) {
        self.stallLimit = TimeAmount(stallLimit)
    }

    /// Whoever is being said goodbye to is not listened to any more.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if closing == nil { context.fireChannelRead(data) }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        holdsHead = false
        switch unwrapOutboundIn(data) {
        case .head(let head):
            holdsHead = head.status.kind != .informational
            isAnswering = holdsHead
        case .body:
            break
        case .end:
            isAnswering = false
            return context.write(data, promise: counted(promise, context))
        }
        context.write(data, promise: promise)
    }

    /// Whether the connection is being closed.
    var isClosing: Bool { closing != nil }

    /// For the end of an answer that goes to the connection by another way: closing waits for it, too.
    func promiseOfAnswer() -> EventLoopPromise<Void>? {
        context.map { counted(nil, $0) }
    }

    private func counted(_ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) -> EventLoopPromise<Void>
    {
        let promise = promise ?? context.eventLoop.makePromise()
        unsentAnswers += 1
        promise.futureResult.assumeIsolated().whenComplete { _ in
            self.unsentAnswers -= 1
            if self.unsentAnswers == 0 { self.closeNow(context) }
        }
        return promise
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .all, !isAnswering, unsentAnswers > 0 else {
            return context.close(mode: mode, promise: promise)
        }
        let closing = closing ?? context.eventLoop.makePromise()
        closing.futureResult.cascade(to: promise)
        guard self.closing == nil else { return }
        self.closing = closing
        closeTimer = context.eventLoop.assumeIsolated().scheduleTask(in: stallLimit) { self.closeNow(context) }
    }

    private func closeNow(_ context: ChannelHandlerContext) {
        guard let closing else { return }
        self.closing = nil
        closeTimer?.cancel()
        closeTimer = nil
        context.close(promise: closing)
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

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        timer?.cancel()
        timer = nil
        exchange = nil
        // The channel is closed.
        closeTimer?.cancel()
        closing?.succeed()
        closing = nil
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
