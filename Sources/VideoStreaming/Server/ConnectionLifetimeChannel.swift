import HummingbirdCore
import Logging
import NIOCore

#if canImport(Glibc)
    import Glibc
#endif

/// Ends the work for a connection when the connection ends.
///
/// Hummingbird notices a client that has gone only when it writes to it. A stream that waits for storage writes nothing, so
/// here the task of each connection is cancelled as soon as its channel is closed, and with it every read that it waits for.
///
/// And it does that work on the connection's own event loop (``EventLoopExecutor``).
///
/// Non-guarantee: a client that closes only its sending side (TCP FIN) may still want the answer, so that is no end. One
/// that has closed both sides looks the same until the next write is answered with a reset; until then no more than the
/// window of one stream is read for it.
struct ConnectionLifetimeChannel<Base: ServerChildChannel>: ServerChildChannel {
    /// What handles the connection.
    let base: Base

    /// How much may wait for the socket before the connection counts as full, and when it no longer does. NIO's own 64 KiB are less
    /// than a chunk, so that everybody would be told of each one; with these that is so only for who asks for one thing after the
    /// other and takes none of it.
    private static var waterMark: ChannelOptions.Types.WriteBufferWaterMark {
        .init(low: 128 * 1_024, high: 384 * 1_024)
    }

    /// How much the kernel takes that it has not sent yet (Linux, tcp(7) and ip-sysctl, `tcp_notsent_lowat`). Without a bound it
    /// takes up to 4 MiB for each viewer, as fast as memory can be copied: measured, 500 viewers who came at once waited for their
    /// first bytes until the others' buffers were full. It asks for more when half of it is sent; with less than this, a viewer's
    /// chunk takes several such rounds.
    private static var unsentBytes: Int { 48 * 1_024 }
    private static var unsentOption: ChannelOptions.Types.SocketOption {
        .init(level: .tcp, name: NIOBSDSocket.Option(rawValue: TCP_NOTSENT_LOWAT))
    }

    /// A socket that has taken a part of what it was given is full: tried again at once, as NIO does 16 times, it takes nothing.
    private static var triesOfFullSocket: UInt { 0 }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Base.Value> {
        channel.setOption(.writeBufferWaterMark, value: Self.waterMark)
            // Where that is not to be had, viewers wait longer, and that is all.
            .flatMap { channel.setOption(Self.unsentOption, value: Self.unsentBytes).recover { _ in } }
            .flatMap { channel.setOption(.writeSpin, value: Self.triesOfFullSocket) }
            .flatMap { base.setup(channel: channel, logger: logger) }
    }

    func handle(value: Base.Value, logger: Logger) async {
        let (ending, signal) = AsyncStream<Never>.makeStream()
        value.channel.closeFuture.whenComplete { _ in signal.finish() }
        await withDiscardingTaskGroup { group in
            group.addTask(executorPreference: EventLoopExecutor.of(value.channel.eventLoop)) { [base] in
                await base.handle(value: value, logger: logger)
                signal.finish()
            }
            for await _ in ending {}
            group.cancelAll()
        }
    }
}
