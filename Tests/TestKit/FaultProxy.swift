import NIOCore
import NIOPosix
import Synchronization

/// A TCP proxy on the loopback address that fails as networks do.
///
/// It starts by passing everything on. ``behave(_:towards:)`` changes that, for connections that are there and for those
/// that come.
public final class FaultProxy: Sendable {
    /// Where bytes go.
    public enum Direction: Sendable, CaseIterable {
        /// From the client to the server.
        case toServer
        /// From the server to the client.
        case toClient
    }

    /// What becomes of bytes on their way.
    public enum Behaviour: Sendable, Equatable {
        /// They are passed on.
        case pass
        /// They are passed on, this much later.
        case delay(milliseconds: Int64)
        /// Nobody takes them, as where packets are lost: what is written stays with its sender, until that has no room.
        /// What was there when it ends is passed on.
        case blackHole
        /// They are taken and thrown away: a machine that still answers for a program that is gone.
        case swallow
        /// So many more of each connection are passed on; then the connection is reset.
        case cut(afterBytes: Int)
    }

    /// Where clients connect to.
    public let port: Int
    private let listener: any Channel
    private let links: ProxyLinks

    private init(listener: any Channel, links: ProxyLinks) {
        self.listener = listener
        self.links = links
        port = listener.localAddress?.port ?? 0
    }

    /// Starts a proxy in front of a server on this machine, at a port that is free unless one is named.
    public static func start(toPort serverPort: Int, listeningAt port: Int = 0) async throws -> FaultProxy {
        let links = ProxyLinks()
        // One event loop for everything: the two sides of a connection then call each other without waiting.
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let listener = try await ServerBootstrap(group: loop)
            .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { client in
                ClientBootstrap(group: client.eventLoop)
                    .channelOption(ChannelOptions.autoRead, value: false)
                    .channelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
                    .connect(host: "127.0.0.1", port: serverPort)
                    .flatMapThrowing { server in
                        links.add(client, server)
                        do {
                            try client.pipeline.syncOperations.addHandler(
                                ProxyRelay(.toServer, from: client, to: server, links))
                            try server.pipeline.syncOperations.addHandler(
                                ProxyRelay(.toClient, from: server, to: client, links))
                        } catch {
                            // One of them has been closed meanwhile.
                            server.close(promise: nil)
                            throw error
                        }
                    }
            }
            .bind(host: "127.0.0.1", port: port).get()
        return FaultProxy(listener: listener, links: links)
    }

    /// How many connections have been made, those included that are gone.
    public var connectionCount: Int { links.count }

    /// Changes what becomes of bytes, in both directions unless one is named.
    public func behave(_ behaviour: Behaviour, towards direction: Direction? = nil) {
        links.set(behaviour, direction.map { [$0] } ?? Direction.allCases)
    }

    /// Resets every connection, on both sides.
    public func cutAll() async {
        await links.cutAll()
    }

    /// Resets every connection and takes no more.
    public func close() async {
        try? await listener.close()
        await links.cutAll()
    }
}

/// Tells the relays of a connection that the behaviour has changed.
private struct BehaviourChanged: Sendable {}

/// The connections of a proxy, and how it behaves.
private final class ProxyLinks: Sendable {
    struct Rule {
        var behaviour = FaultProxy.Behaviour.pass
        /// Tells one setting from the next, so that bytes are counted from each anew.
        var number = 0
    }

    private struct State {
        var rules: [FaultProxy.Direction: Rule] = [:]
        var open: [ObjectIdentifier: (client: any Channel, server: any Channel)] = [:]
        var count = 0
    }

    private let state = Mutex(State())

    var count: Int { state.withLock { $0.count } }

    func rule(_ direction: FaultProxy.Direction) -> Rule {
        state.withLock { $0.rules[direction] ?? Rule() }
    }

    func set(_ behaviour: FaultProxy.Behaviour, _ directions: [FaultProxy.Direction]) {
        let channels = state.withLock { state in
            for direction in directions {
                state.rules[direction, default: Rule()].behaviour = behaviour
                state.rules[direction, default: Rule()].number += 1
            }
            return state.open.values.flatMap { [$0.client, $0.server] }
        }
        for channel in channels { channel.pipeline.fireUserInboundEventTriggered(BehaviourChanged()) }
    }

    func add(_ client: any Channel, _ server: any Channel) {
        state.withLock { state in
            state.count += 1
            state.open[ObjectIdentifier(client)] = (client, server)
        }
        client.closeFuture.and(server.closeFuture).whenComplete { [weak self, key = ObjectIdentifier(client)] _ in
            self?.state.withLock { $0.open[key] = nil }
        }
    }

    func cutAll() async {
        let links = state.withLock { Array($0.open.values) }
        for link in links {
            Self.reset(link.client)
            Self.reset(link.server)
        }
        for link in links {
            try? await link.client.closeFuture.get()
            try? await link.server.closeFuture.get()
        }
    }

    /// Closes with a reset instead of a farewell.
    static func reset(_ channel: any Channel) {
        guard let socket = channel as? any SocketOptionProvider else { return channel.close(promise: nil) }
        socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in channel.close(promise: nil) }
    }
}

/// Takes the bytes of one side of a connection, and does with them what the proxy is told to.
private final class ProxyRelay: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let direction: FaultProxy.Direction
    private let source: any Channel
    private let target: any Channel
    private let links: ProxyLinks
    /// What had been read when a black hole began.
    private var held: [ByteBuffer] = []
    private var lastDue = NIODeadline.uptimeNanoseconds(0)
    private var countedRule = 0
    private var countedBytes = 0

    init(
        _ direction: FaultProxy.Direction, from source: any Channel, to target: any Channel, _ links: ProxyLinks
    ) {
        (self.direction, self.source, self.target, self.links) = (direction, source, target, links)
    }

    func handlerAdded(context: ChannelHandlerContext) { readOrNot() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        handle(unwrapInboundIn(data))
    }

    private func handle(_ bytes: ByteBuffer) {
        let rule = links.rule(direction)
        switch rule.behaviour {
        case .pass: forward(bytes, after: .zero)
        case .delay(let milliseconds): forward(bytes, after: .milliseconds(milliseconds))
        case .blackHole: held.append(bytes)
        case .swallow: break
        case .cut(let limit): forward(bytes, upTo: limit, rule.number)
        }
    }

    /// Bytes that were delayed are never overtaken by those that came later.
    private func forward(_ bytes: ByteBuffer, after delay: TimeAmount) {
        let now = NIODeadline.now()
        lastDue = max(lastDue, now + delay)
        guard lastDue > now else { return target.writeAndFlush(bytes, promise: nil) }
        source.eventLoop.scheduleTask(deadline: lastDue) { [target] in target.writeAndFlush(bytes, promise: nil) }
    }

    private func forward(_ bytes: ByteBuffer, upTo limit: Int, _ rule: Int) {
        if countedRule != rule { (countedRule, countedBytes) = (rule, 0) }
        let left = max(0, limit - countedBytes)
        countedBytes += bytes.readableBytes
        let part = bytes.getSlice(at: bytes.readerIndex, length: min(left, bytes.readableBytes)) ?? ByteBuffer()
        let isLast = countedBytes >= limit
        target.writeAndFlush(part).whenComplete { [source, target] _ in
            guard isLast else { return }
            ProxyLinks.reset(source)
            ProxyLinks.reset(target)
        }
    }

    private func readOrNot() {
        let mayRead = links.rule(direction).behaviour != .blackHole && target.isWritable
        source.setOption(ChannelOptions.autoRead, value: mayRead).whenComplete { _ in }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is BehaviourChanged else { return context.fireUserInboundEventTriggered(event) }
        let rule = links.rule(direction)
        if rule.behaviour != .blackHole {
            let bytes = held
            held = []
            for bytes in bytes { handle(bytes) }
            if !target.isActive { source.close(promise: nil) }
        }
        readOrNot()
    }

    /// The source of the other direction waits while this side takes no bytes.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let other: FaultProxy.Direction = direction == .toServer ? .toClient : .toServer
        let mayRead = links.rule(other).behaviour != .blackHole && source.isWritable
        target.setOption(ChannelOptions.autoRead, value: mayRead).whenComplete { _ in }
    }

    /// Where nothing gets through, a farewell does not either.
    func channelInactive(context: ChannelHandlerContext) {
        switch links.rule(direction).behaviour {
        case .blackHole, .swallow: break
        case .pass, .delay, .cut: target.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
