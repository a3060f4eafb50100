import Domain
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypes
import ServiceKit

/// What answers requests from memory, for all connections.
struct MemoryAnswers: Sendable {
    /// Answers for bytes.
    let content: ContentHandler
    /// Who else may read.
    let crossOrigin: CrossOrigin
    /// The longest target of a request.
    let maxTargetBytes: Int
    /// When a connection counts as idle.
    let idleTime: Duration
    /// What is counted.
    let metrics: GatewayMetrics
    /// Takes the access log.
    let logger: Logger
}

/// Stands before the server, on the connection's event loop, and answers what can be answered at once (``MemoryAnswer``): without
/// a task, and without a change from one to another. That is half of what a request for a small range costs otherwise.
///
/// Everything else goes on to the server as if this were not there: requests with a body or with the wish to close the
/// connection, and all as long as the server has an earlier one to answer, or the connection is full. So answers keep
/// their order, and a viewer who takes nothing is handed no more than the connection holds.
///
/// A request that differs from the one before it in the numbers of its range alone is seen by ``RepeatedRangeHandler`` first, which
/// asks here for what it needs.
final class MemoryAnswerHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let answers: MemoryAnswers
    /// The request that came last, until its end has come, too.
    private var held: HTTPRequest?
    /// How many requests the server has that it has not answered yet.
    private var atServer = 0
    private var isClosing = false
    private var target: ContentTarget?
    private var described: DescribedVideo?
    private var date: (second: HTTPDate, text: String)?
    /// How many requests have come to their end.
    private(set) var endedRequests = 0
    /// What the last request was answered with, if that was one range from memory.
    private(set) var answered: AnsweredRange?

    /// A handler for one connection.
    init(_ answers: MemoryAnswers) {
        self.answers = answers
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            answered = nil
            if atServer == 0, !isClosing, context.channel.isWritable, Self.mayAnswer(head) {
                held = head
            } else {
                passOn(head, context)
            }
        case .body:
            passOnHeld(context)
            context.fireChannelRead(data)
        case .end:
            endedRequests += 1
            if let head = held, answer(head, context) {
                held = nil
            } else {
                passOnHeld(context)
                context.fireChannelRead(data)
            }
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head):
            if Self.closes(head.headerFields) { isClosing = true }
        case .body:
            break
        case .end:
            // The answer to what is no request at all has none that it belongs to.
            atServer = max(0, atServer - 1)
        }
        context.write(data, promise: promise)
    }

    private func passOnHeld(_ context: ChannelHandlerContext) {
        guard let head = held else { return }
        held = nil
        passOn(head, context)
    }

    private func passOn(_ head: HTTPRequest, _ context: ChannelHandlerContext) {
        atServer += 1
        if Self.closes(head.headerFields) { isClosing = true }
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    private static func closes(_ fields: HTTPFields) -> Bool {
        fields.contains { $0.name == .connection && $0.value.lowercased() != "keep-alive" }
    }

    private static func mayAnswer(_ head: HTTPRequest) -> Bool {
        guard head.method == .get || head.method == .head else { return false }
        return head.headerFields.allSatisfy { field in
            switch field.name {
            case .contentLength, .transferEncoding, .expect, .upgrade: false
            case .connection: field.value.lowercased() == "keep-alive"
            default: true
            }
        }
    }
}

// MARK: - Answering

extension MemoryAnswerHandler {
    private func answer(_ head: HTTPRequest, _ context: ChannelHandlerContext) -> Bool {
        let started = ContinuousClock.now
        guard let target = target(of: head), let second = HTTPDate.now,
            var answer = answers.content.answerFromMemory(
                to: head.method, fields: head.headerFields, id: target.id, described: &described)
        else { return false }
        answers.content.source.metrics.answeredFromMemory()
        answer.fields.append(contentsOf: answers.crossOrigin.fields)
        answer.fields.append(HTTPField(name: .date, value: text(of: second)))
        let response = HTTPResponse(status: answer.status, headerFields: answer.fields)
        context.write(wrapOutboundOut(.head(response)), promise: nil)
        for piece in answer.pieces { context.write(wrapOutboundOut(.body(piece)), promise: nil) }
        let firstByte = ContinuousClock.now
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        let ended = AnsweredRequest(
            method: head.method, target: target, status: answer.status, fields: head.headerFields)
        if answer.status == .partialContent, let range = answer.range, let described {
            answered = AnsweredRange(request: ended, described: described, range: range, second: second)
        }
        tell(of: ended, sentBytes: answer.range?.count ?? 0, started: started, firstByte: firstByte, context)
        return true
    }

    private func tell(
        of request: AnsweredRequest, sentBytes: Int64, started: ContinuousClock.Instant,
        firstByte: ContinuousClock.Instant, _ context: ChannelHandlerContext
    ) {
        let ended = EndedExchange(
            method: request.method, target: request.target.text, route: request.target.route.pattern,
            status: request.status, sentBytes: sentBytes, outcome: context.channel.isActive ? .complete : .aborted,
            duration: started.duration(to: .now),
            timeToFirstByte: sentBytes > 0 ? started.duration(to: firstByte) : nil,
            trace: answers.logger.logLevel <= .info ? .of(request.fields) : nil)
        ended.log(to: answers.logger)
        answers.metrics.record(ended)
    }

    private func target(of head: HTTPRequest) -> ContentTarget? {
        guard let text = head.path else { return nil }
        if let target, target.text == text { return target }
        guard text.utf8.count <= answers.maxTargetBytes else { return nil }
        let uri = URI(text)
        guard let route = Route(path: uri.path), case .content(let id) = route,
            let id = try? VideoIDParameter.parse(id, else: QueryParameters(uri.query))
        else { return nil }
        let found = ContentTarget(text: text, id: id, route: route)
        target = found
        return found
    }

    private func text(of second: HTTPDate) -> String {
        if let date, date.second == second { return date.text }
        let text = second.description
        date = (second, text)
        return text
    }
}

// MARK: - Answering again

extension MemoryAnswerHandler {
    /// Another range of what was answered; `nil` where it has to be asked for in the usual way.
    func part(_ asked: RangeRequest.Numbers, of answered: AnsweredRange) -> (range: ByteRange, pieces: [ByteBuffer])? {
        guard HTTPDate.now == answered.second,
            let range = RangeSpecifier.bounded(first: asked.first, last: asked.last).resolved(size: answered.size),
            let pieces = answers.content.piecesFromMemory(
                of: range, id: answered.request.target.id, described: answered.described)
        else { return nil }
        answers.content.source.metrics.answeredRepeatedRange()
        return (range, pieces)
    }

    /// Takes account of such a range that was sent.
    func ended(
        _ answered: AnsweredRange, sentBytes: Int64, started: ContinuousClock.Instant,
        firstByte: ContinuousClock.Instant, _ context: ChannelHandlerContext
    ) {
        tell(of: answered.request, sentBytes: sentBytes, started: started, firstByte: firstByte, context)
    }
}
