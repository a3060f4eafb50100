import NIOCore
import NIOPosix
import Synchronization

/// A TCP relay to a port of this machine. It can fall silent, like a network that loses every packet and tells nobody, and
/// it can die.
public final class StallingRelay: Sendable {
    /// Where it listens, on 127.0.0.1.
    public let port: Int

    private let listener: any Channel
    private let channels: Channels

    /// Starts to relay, at a port that is free unless one is named.
    public init(toPort target: Int, listeningAt wanted: Int = 0) async throws {
        let channels = Channels()
        listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { Self.join($0, target, channels) }
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: wanted).get()
        self.channels = channels
        port = listener.localAddress?.port ?? 0
    }

    /// From now on nothing goes through the connections that are there, in either direction. New ones work.
    public func stall() async throws {
        for channel in channels.all { try? await channel.setOption(.autoRead, value: false).get() }
    }

    /// Listens no more and ends every connection, as a process does that dies.
    public func close() async throws {
        try await listener.close()
        // One that was stalled may have been closed by the other side, which a stalled channel does not notice.
        for channel in channels.takeAll() { try? await channel.close() }
    }

    private static func join(_ inner: any Channel, _ target: Int, _ channels: Channels) -> EventLoopFuture<Void> {
        // Both ends on one event loop, so that neither handler is ever called while the other runs.
        ClientBootstrap(group: inner.eventLoop)
            .channelOption(.autoRead, value: false)
            .connect(host: "127.0.0.1", port: target)
            .flatMapThrowing { outer in
                try inner.pipeline.syncOperations.addHandler(Forwarder(to: outer))
                try outer.pipeline.syncOperations.addHandler(Forwarder(to: inner))
                channels.add([inner, outer])
                for channel in [inner, outer] { try channel.syncOptions?.setOption(.autoRead, value: true) }
            }
    }
}

private final class Channels: Sendable {
    private let open = Mutex<[any Channel]>([])

    func add(_ more: [any Channel]) { open.withLock { $0 += more } }

    var all: [any Channel] { open.withLock { $0 } }

    func takeAll() -> [any Channel] {
        open.withLock { open in
            defer { open = [] }
            return open
        }
    }
}

private final class Forwarder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let other: any Channel

    init(to other: any Channel) {
        self.other = other
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        other.writeAndFlush(unwrapInboundIn(data), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        other.close(promise: nil)
    }
}
