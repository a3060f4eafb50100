import HummingbirdCore
import NIOCore
import Synchronization

/// Ends the work for a stream of HTTP/2 when the stream ends: a client that resets it, and keeps its connection, takes with it all
/// that is waited for. (``ConnectionLifetimeChannel`` does that for connections, and Hummingbird lets nobody do it for
/// streams.)
enum StreamLifetime {
    /// A responder whose task is cancelled when its stream is closed.
    static func bound(_ responder: @escaping HTTPChannelHandler.Responder) -> HTTPChannelHandler.Responder {
        { request, writer, channel in
            let handover = Handover(writer)
            let (ending, signal) = AsyncStream<Never>.makeStream()
            channel.closeFuture.whenComplete { _ in signal.finish() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    defer { signal.finish() }
                    guard let writer = handover.take() else { return }
                    try await responder(request, writer, channel)
                }
                for await _ in ending {}
                group.cancelAll()
                try await group.waitForAll()
            }
        }
    }

    /// Hands a writer, which cannot be copied, to a task.
    private final class Handover: @unchecked Sendable {
        // Unchecked, since a writer is not marked as Sendable; it is given to one task, under the lock, and used by that one alone.
        private let lock = Mutex(())
        private var writer: ResponseWriter?

        init(_ writer: consuming ResponseWriter) {
            self.writer = consume writer
        }

        func take() -> ResponseWriter? {
            lock.withLock { _ in writer.take() }
        }
    }
}
