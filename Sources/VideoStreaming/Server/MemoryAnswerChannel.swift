import HummingbirdCore
import Logging
import NIOCore

/// HTTP/1.1 as Hummingbird has it, with ``MemoryAnswerHandler`` before the server and ``RepeatedRangeHandler`` before the parser.
///
/// The first stands behind the handler that closes idle connections, so that what is answered from memory counts as a request there.
struct MemoryAnswerChannel: ServerChildChannel {
    /// What handles the connection.
    let base: HTTP1Channel
    /// What answers from memory.
    let answers: MemoryAnswers

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        base.setup(channel: channel, logger: logger).flatMapThrowing { [answers] value in
            let pipeline = channel.pipeline.syncOperations
            let idle = try pipeline.handler(type: HTTPConnectionStateHandler.self)
            let memoryAnswers = MemoryAnswerHandler(answers)
            try pipeline.addHandler(memoryAnswers, position: .after(idle))
            let repeated = RepeatedRangeHandler(
                memory: memoryAnswers, responses: try pipeline.handler(type: ResponseHandler.self),
                idleTime: answers.idleTime)
            try pipeline.addHandler(repeated, position: .first)
            if let memory = answers.content.source.memory {
                try pipeline.addHandler(ChunkSendHandler(memory), position: .first)
            }
            return value
        }
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await base.handle(value: value, logger: logger)
    }
}
