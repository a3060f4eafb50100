import NIOCore
import Synchronization

/// Keeps a body from running ahead of its connection's event loop.
///
/// NIO's asynchronous writer takes writes without waiting until its event loop has seen the first of them and found the
/// socket full. While the loop is busy with other connections, a stream could hand over its whole file: measured, 31 MB for
/// one viewer who took nothing. With this, at most two writes are on their way to the loop; the loop's own limit (NIO's
/// high-water mark, see ``ConnectionLifetimeChannel``) and the kernel's send buffer come on top.
///
/// And it keeps a viewer who takes everything at once from having the loop for itself: one whose socket is never full.
final class WritePacer: Sendable {
    private let eventLoop: any EventLoop
    private let socket: (any Channel)?
    private let handedOver = Atomic<Int>(0)
    private let seen = Atomic<Int>(0)
    private let sinceGivingWay = Atomic<Int>(0)
    /// After so many bytes the loop looks at its other connections, however quickly this viewer takes them.
    static let bytesBeforeGivingWay = 1 << 19

    /// A pacer for the writes to one connection.
    ///
    /// - Parameters:
    ///   - eventLoop: The connection's.
    ///   - socket: Where the bytes go and nothing else does, so that what waits there is this body's; `nil` where there is no
    ///     such socket, as for a stream of HTTP/2.
    init(eventLoop: any EventLoop, socket: (any Channel)?) {
        self.eventLoop = eventLoop
        self.socket = socket
    }

    /// Call it after each write; waits while the event loop has not seen the write before.
    func wrote(_ bytes: Int) async throws {
        if isSocketFull {
            // So the others have their turn before this body goes on: to give way as well would cost two changes of thread.
            sinceGivingWay.store(0, ordering: .relaxed)
            return
        }
        if sinceGivingWay.add(bytes, ordering: .relaxed).newValue >= Self.bytesBeforeGivingWay {
            sinceGivingWay.store(0, ordering: .relaxed)
            await EventLoopExecutor.letOthersRun()
        }
        // On the loop itself, a write has been seen when it returns.
        if eventLoop.inEventLoop { return }
        let count = handedOver.add(1, ordering: .relaxed).newValue
        eventLoop.execute { self.seen.add(1, ordering: .releasing) }
        if count - seen.load(ordering: .acquiring) > 1 {
            try await eventLoop.submit {}.get()
        }
    }

    /// Whether the socket has not taken all that it was given; that is known on its loop alone.
    private var isSocketFull: Bool {
        guard eventLoop.inEventLoop, let options = socket?.syncOptions,
            let waitingBytes = try? options.getOption(.bufferedWritableBytes)
        else { return false }
        return waitingBytes > 0
    }
}
