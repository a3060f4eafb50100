import AsyncHTTPClient
import Domain
import NIOCore
import NIOHTTP1
import Synchronization

/// Puts an answer together where it comes in, on its connection's event loop: one wake-up of who waits for the whole, and
/// memory that is asked for once, where the answer says how long it is.
///
/// Piece by piece through an `AsyncSequence`, an answer of 1 MiB woke two threads in turn up to sixteen times, and was copied
/// again as the memory grew.
final class ReplyCollector: HTTPClientResponseDelegate {
    typealias Response = HTTPReply

    private struct State {
        var reply = HTTPReply(status: 0, headers: [:], body: ByteBuffer())
        /// How long the answer said that it is.
        var promisedBytes: Int?
        /// Of a range only: other answers are compared with nothing.
        var pieces: PieceSums?
    }

    private let hasBody: Bool
    private let maxBytes: Int
    private let state = Mutex(State())

    /// Collects the answer to a request.
    init(to call: HTTPCall) {
        hasBody = call.method != .HEAD
        maxBytes = call.maxReplyBytes
    }

    func didReceiveHead(task: HTTPClient.Task<HTTPReply>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        let promised = hasBody ? head.headers.first(name: "Content-Length").flatMap(Int.init) : nil
        if let promised, promised > maxBytes { return task.eventLoop.makeFailedFuture(Self.tooLong) }
        state.withLock { state in
            state.reply.status = Int(head.status.code)
            state.reply.headers = head.headers
            state.promisedBytes = promised
            if let promised { state.reply.body.reserveCapacity(max(0, promised)) }
            if head.status == .partialContent { state.pieces = PieceSums() }
        }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(task: HTTPClient.Task<HTTPReply>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        let fits = state.withLock { state in
            guard state.reply.body.readableBytes + buffer.readableBytes <= maxBytes else { return false }
            state.reply.body.writeImmutableBuffer(buffer)
            state.pieces?.add(buffer)
            return true
        }
        return fits ? task.eventLoop.makeSucceededVoidFuture() : task.eventLoop.makeFailedFuture(Self.tooLong)
    }

    func didFinishRequest(task: HTTPClient.Task<HTTPReply>) throws -> HTTPReply {
        let (collected, promised, pieces) = state.withLock { ($0.reply, $0.promisedBytes, $0.pieces) }
        guard promised == nil || promised == collected.body.readableBytes else {
            throw ServiceError(.unavailable, "The storage service broke off its answer; try again.")
        }
        var reply = collected
        reply.pieceSums = pieces?.sums
        return reply
    }

    private static var tooLong: ServiceError {
        ServiceError(.internal, "The storage service answered with more than was asked for.")
    }
}
