import HTTPTypes
import NIOCore
import NIOHTTPTypes
import Synchronization

/// Stands between the server and the encoder, on the connection's event loop.
///
/// - It sends a response's head together with what follows it, in one system call: the first chunk is there before the head
///   is written.
/// - It sends the pieces of a body that can be had without waiting (``Sending``), each when the one before it has gone to the socket.
///   After ``bytesBeforeGivingWay`` to a viewer who takes everything at once it stops, so that others have their turn.
/// - It cuts a viewer who takes nothing for too long. While a piece waits for the socket, or the connection has more to send than
///   it may hold, its time runs; it begins anew when the viewer has taken that.
/// - It closes a connection only after what was answered has been sent. The server closes as soon as it has written an
///   answer's end, when it shuts down or a client has asked for it; NIO would drop what the viewer has not taken until then.
///   A response that cannot go on is still cut at once.
final class ResponseHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// The event that sends pieces of a response's body, after its head. Its promise is kept when they have been taken, or when others
    /// have to have their turn.
    final class Sending: Sendable {
        fileprivate let pieces: ReadyPieces
        fileprivate let exchange: Exchange
        fileprivate let isAbandoned = Atomic<Bool>(false)
        fileprivate let mustGiveWay = Atomic<Bool>(false)

        init(_ pieces: ReadyPieces, exchange: Exchange) {
            self.pieces = pieces
            self.exchange = exchange
        }

        /// Whether others have to have their turn now. Known when the promise has been kept.
        var givesWay: Bool { mustGiveWay.load(ordering: .acquiring) }

        /// Nobody waits for it any more. If it has begun, ``Abandoned`` ends it.
        func abandon() { isAbandoned.store(true, ordering: .releasing) }
    }

    /// The event that ends what was abandoned; its promise fails.
    struct Abandoned: Sendable {}

    /// After so many bytes the loop looks at its other connections, however quickly this viewer takes them.
    static let bytesBeforeGivingWay = 1 << 19

    private let stallLimit: TimeAmount
    private var context: ChannelHandlerContext?
    private var holdsHead = false
    private var exchange: Exchange?
    /// The pieces that are being sent, and who waits for that.
    private var sending: (what: Sending, promise: EventLoopPromise<Void>?)?
    private var isPieceUnsent = false
    private var isSendingOn = false
    private var bytesSinceFull = 0
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

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        noteRoom(context.channel.isWritable && !isPieceUnsent, context)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        endSending(with: ChannelError.ioOnClosedChannel)
        context.fireChannelInactive()
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        endSending(with: ChannelError.ioOnClosedChannel)
        timer?.cancel()
        timer = nil
        exchange = nil
        // The channel is closed.
        closeTimer?.cancel()
        closing?.succeed()
        closing = nil
    }

    /// The viewer's time runs as long as there is no room.
    private func noteRoom(_ hasRoom: Bool, _ context: ChannelHandlerContext) {
        guard !hasRoom else {
            fullSince = nil
            return
        }
        if fullSince == nil { fullSince = context.eventLoop.now }
        if timer == nil { schedule(in: stallLimit, context) }
    }

    private func schedule(in time: TimeAmount, _ context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: time) { self.look(context) }
    }

    private func look(_ context: ChannelHandlerContext) {
        timer = nil
        guard let fullSince else { return }
        let rest = fullSince + stallLimit - context.eventLoop.now
        guard rest <= .zero else { return schedule(in: rest, context) }
        exchange?.viewerStalled()
        context.close(promise: nil)
    }
}

// MARK: - Sending pieces

extension ResponseHandler {
    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        switch event {
        case let sending as Sending:
            guard !sending.isAbandoned.load(ordering: .acquiring) else {
                promise?.fail(CancellationError())
                return
            }
            exchange = sending.exchange
            self.sending = (sending, promise)
            sendOn(context)
        case is Abandoned:
            promise?.succeed()
            if let sending, sending.what.isAbandoned.load(ordering: .acquiring) {
                endSending(with: CancellationError())
            }
        default:
            context.triggerUserOutboundEvent(event, promise: promise)
        }
    }

    private func sendOn(_ context: ChannelHandlerContext) {
        // The socket often takes a piece before its write returns; then the loop below goes on with the next.
        guard !isSendingOn else { return }
        isSendingOn = true
        defer { isSendingOn = false }
        while let sending, !isPieceUnsent {
            if bytesSinceFull >= Self.bytesBeforeGivingWay {
                bytesSinceFull = 0
                sending.what.mustGiveWay.store(true, ordering: .releasing)
                return endSending()
            }
            guard let piece = sending.what.pieces.next() else { return endSending() }
            send(piece, sending.what.exchange, context)
        }
    }

    private func send(_ piece: ByteBuffer, _ exchange: Exchange, _ context: ChannelHandlerContext) {
        let taken = context.eventLoop.makePromise(of: Void.self)
        isPieceUnsent = true
        taken.futureResult.assumeIsolated().whenComplete { result in
            self.isPieceUnsent = false
            switch result {
            case .success:
                self.noteRoom(context.channel.isWritable, context)
                self.sendOn(context)
            case .failure(let error):
                self.endSending(with: error)
            }
        }
        bytesSinceFull += piece.readableBytes
        holdsHead = false
        context.writeAndFlush(wrapOutboundOut(.body(piece)), promise: taken)
        guard sending != nil else { return }
        exchange.sent(piece.readableBytes)
        if isPieceUnsent {
            bytesSinceFull = 0
            noteRoom(false, context)
        }
    }

    private func endSending(with error: (any Error)? = nil) {
        guard let promise = sending.take()?.promise else { return }
        if let error { promise.fail(error) } else { promise.succeed() }
    }
}
