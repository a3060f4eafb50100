import NIOCore
import Synchronization

/// Sends a response's body by way of the connection's ``ResponseHandler``, which takes a piece when the one before it has gone to the
/// socket. So a body never runs ahead of its event loop, and as long as there are pieces without waiting, no task is woken for one.
struct BodySender: BodySink {
    /// The connection, or the stream of one.
    let channel: any Channel
    /// Takes account of what is sent.
    let exchange: Exchange

    @concurrent func send(_ pieces: ReadyPieces) async throws {
        while true {
            let sending = ResponseHandler.Sending(pieces, exchange: exchange)
            try await withTaskCancellationHandler {
                try Task.checkCancellation()
                try await channel.triggerUserOutboundEvent(sending).get()
            } onCancel: {
                sending.abandon()
                channel.triggerUserOutboundEvent(ResponseHandler.Abandoned(), promise: nil)
            }
            if sending.givesWay { await EventLoopExecutor.letOthersRun() }
            if pieces.isAtEnd { return }
        }
    }
}
