import Domain
import NIOCore

/// Stands between the socket and the parser, on the connection's event loop: answers a request that differs from the one before it
/// in the numbers of its range alone, without parsing it, planning its answer and encoding its head once more. These cost as much
/// as the kernel takes for sending 64 KiB.
///
/// What is answered here is what ``MemoryAnswerHandler`` has just answered on this connection, and would answer again: it is asked
/// whether the object is still the same, and whether the bytes are in memory. At the latest after a second,
/// or an eighth of the time after which a connection is idle, a request goes the whole way once more; so the date is
/// right, and the connection counts as used.
///
/// A request is learned only where it is certain that it begins and ends with what has come from the socket (``RangeRequest``), and
/// that so did all before it. A connection on which something came in another way is never answered here again.
final class RepeatedRangeHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// A request, and what it was answered with.
    private final class Learned {
        let request: RangeRequest
        let head: RangeHead
        let answered: AnsweredRange
        let goodUntil: ContinuousClock.Instant

        init(request: RangeRequest, head: RangeHead, answered: AnsweredRange, goodUntil: ContinuousClock.Instant) {
            self.request = request
            self.head = head
            self.answered = answered
            self.goodUntil = goodUntil
        }
    }

    private let memory: MemoryAnswerHandler
    private let responses: ResponseHandler
    private let lifetime: Duration
    /// `nil` as soon as anything has gone on from here: so answers keep their order, and nothing is answered after a wish to close.
    private var last: Learned?
    /// Whether the next byte from the socket is the first of a request.
    private var isAtStart = true
    /// The first bytes that were sent since a request came that may be learned.
    private var head: ByteBuffer?
    private var isLearning = false

    /// A handler for one connection.
    ///
    /// - Parameters:
    ///   - memory: Answers from memory on this connection.
    ///   - responses: Keeps the connection open until all is sent.
    ///   - idleTime: When a connection counts as idle.
    init(memory: MemoryAnswerHandler, responses: ResponseHandler, idleTime: Duration) {
        self.memory = memory
        self.responses = responses
        lifetime = min(.seconds(1), idleTime / 8)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard isAtStart else { return context.fireChannelRead(data) }
        let bytes = unwrapInboundIn(data)
        if let last, answer(bytes, as: last, context) { return }
        last = nil
        guard RangeRequest.isWhole(bytes) else {
            isAtStart = false
            return context.fireChannelRead(data)
        }
        let ended = memory.endedRequests
        isLearning = true
        context.fireChannelRead(data)
        isLearning = false
        isAtStart = memory.endedRequests == ended + 1
        if isAtStart { learn(bytes) }
        head = nil
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if isLearning, head == nil, case .byteBuffer(let bytes) = unwrapOutboundIn(data) { head = bytes }
        context.write(data, promise: promise)
    }

    private func learn(_ bytes: ByteBuffer) {
        guard let head, let answered = memory.answered, let request = RangeRequest(bytes),
            let head = RangeHead(head, range: answered.range, size: answered.size)
        else { return }
        last = Learned(request: request, head: head, answered: answered, goodUntil: .now + lifetime)
    }

    private func answer(_ bytes: ByteBuffer, as last: Learned, _ context: ChannelHandlerContext) -> Bool {
        let started = ContinuousClock.now
        guard started < last.goodUntil, !responses.isClosing, context.channel.isWritable,
            let asked = last.request.numbers(in: bytes), let part = memory.part(asked, of: last.answered)
        else { return false }
        let head = last.head.with(part.range, allocator: context.channel.allocator)
        context.write(wrapOutboundOut(.byteBuffer(head)), promise: nil)
        for piece in part.pieces.dropLast() { context.write(wrapOutboundOut(.byteBuffer(piece)), promise: nil) }
        let firstByte = ContinuousClock.now
        if let piece = part.pieces.last {
            context.writeAndFlush(wrapOutboundOut(.byteBuffer(piece)), promise: responses.promiseOfAnswer())
        }
        memory.ended(last.answered, sentBytes: part.range.count, started: started, firstByte: firstByte, context)
        return true
    }
}
