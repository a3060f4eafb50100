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
final class MemoryAnswerHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// A target, and where it leads. A player asks for the same one again and again.
    private struct Target {
        var text: String
        var id: VideoID
        var route: Route
    }

    private let answers: MemoryAnswers
    /// The request that came last, until its end has come, too.
    private var held: HTTPRequest?
    /// How many requests the server has that it has not answered yet.
    private var atServer = 0
    private var isClosing = false
    private var target: Target?
    private var described: DescribedVideo?
    private var date: (second: HTTPDate, text: String)?

    /// A handler for one connection.
    init(_ answers: MemoryAnswers) {
        self.answers = answers
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            if atServer == 0, !isClosing, context.channel.isWritable, Self.mayAnswer(head) {
                held = head
            } else {
                passOn(head, context)
            }
        case .body:
            passOnHeld(context)
            context.fireChannelRead(data)
        case .end:
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
        guard let target = target(of: head),
            var answer = answers.content.answerFromMemory(
                to: head.method, fields: head.headerFields, id: target.id, described: &described),
            let date = dateText()
        else { return false }
        answers.content.source.metrics.answeredFromMemory()
        answer.fields.append(contentsOf: answers.crossOrigin.fields)
        answer.fields.append(HTTPField(name: .date, value: date))
        let response = HTTPResponse(status: answer.status, headerFields: answer.fields)
        context.write(wrapOutboundOut(.head(response)), promise: nil)
        for piece in answer.pieces { context.write(wrapOutboundOut(.body(piece)), promise: nil) }
        let firstByte = started.duration(to: .now)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        let ended = EndedExchange(
            method: head.method, target: target.text, route: target.route.pattern, status: answer.status,
            sentBytes: Int64(answer.count), outcome: context.channel.isActive ? .complete : .aborted,
            duration: started.duration(to: .now), timeToFirstByte: answer.count > 0 ? firstByte : nil,
            trace: answers.logger.logLevel <= .info ? .of(head.headerFields) : nil)
        ended.log(to: answers.logger)
        answers.metrics.record(ended)
        return true
    }

    private func target(of head: HTTPRequest) -> Target? {
        guard let text = head.path else { return nil }
        if let target, target.text == text { return target }
        guard text.utf8.count <= answers.maxTargetBytes else { return nil }
        let uri = URI(text)
        guard let route = Route(path: uri.path), case .content(let id) = route,
            let id = try? VideoIDParameter.parse(id, else: QueryParameters(uri.query))
        else { return nil }
        let found = Target(text: text, id: id, route: route)
        target = found
        return found
    }

    private func dateText() -> String? {
        guard let now = HTTPDate.now else { return nil }
        if let date, date.second == now { return date.text }
        date = (now, now.description)
        return date?.text
    }
}
