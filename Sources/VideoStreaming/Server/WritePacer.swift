import NIOCore
import Synchronization

/// Keeps a body from running ahead of its connection's event loop.
///
/// NIO's asynchronous writer takes writes without waiting until its event loop has seen the first of them and found the
/// socket full. While the loop is busy with other connections, a stream could hand over its whole file: measured, 31 MB for
/// one viewer who took nothing. With this, at most two writes are on their way to the loop; the loop's own limit (NIO's
/// high-water mark, see ``ConnectionLifetimeChannel``) and the kernel's send buffer come on top.
///
/// And it keeps a viewer who takes everything at once from having the loop for itself.
final class WritePacer: Sendable {
    private let eventLoop: any EventLoop
    private let handedOver = Atomic<Int>(0)
    private let seen = Atomic<Int>(0)
    private let sinceGivingWay = Atomic<Int>(0)
    /// After so many bytes the loop looks at its other connections, however quickly this viewer takes them.
    static let bytesBeforeGivingWay = 1 << 18

    /// A pacer for the writes to one connection.
    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// Call it after each write; waits while the event loop has not seen the write before.
    func wrote(_ bytes: Int) async throws {
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
}
