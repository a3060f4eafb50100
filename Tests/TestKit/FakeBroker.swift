import NIOCore
import NIOPosix
import Synchronization

/// The server's side of AMQP 0-9-1, as far as a client needs it to log in, open channels, consume and publish; and then
/// whatever bytes a test wants to send.
///
/// No broker sends such bytes. A fault of memory, another program at the port, or an attacker might.
public final class FakeBroker: Sendable {
    /// A method that the client has sent.
    public struct Request: Sendable {
        /// Which connection it came on, from 1.
        public var connection: Int
        /// Which channel.
        public var channel: UInt16
        /// What it is.
        public var method: AMQPFrame.Method
    }

    /// How the broker answers.
    public struct Script: Sendable {
        /// The largest frame, as told to the client.
        public var maxFrameBytes: UInt32 = 131_072
        /// Called for each method; what it gives is sent in place of the usual answer, each piece by itself. `nil` is the
        /// usual answer, an empty array is silence.
        public var answer: @Sendable (Request) -> [[UInt8]]?
        /// What is sent when a consumer has begun, each piece by itself.
        public var afterConsume: @Sendable (Request) -> [[UInt8]]

        /// Makes a script; without arguments, that of a broker that behaves.
        public init(
            answer: @escaping @Sendable (Request) -> [[UInt8]]? = { _ in nil },
            afterConsume: @escaping @Sendable (Request) -> [[UInt8]] = { _ in [] }
        ) {
            self.answer = answer
            self.afterConsume = afterConsume
        }
    }

    /// Where clients connect to.
    public let port: Int
    private let listener: any Channel
    private let record: FakeBrokerRecord

    private init(listener: any Channel, record: FakeBrokerRecord) {
        self.listener = listener
        self.record = record
        port = listener.localAddress?.port ?? 0
    }

    /// Starts a broker on the loopback address.
    public static func start(_ script: Script = Script()) async throws -> FakeBroker {
        let record = FakeBrokerRecord()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton.any())
            .childChannelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let number = record.add(channel)
                    try channel.pipeline.syncOperations.addHandler(
                        FakeBrokerConnection(number: number, script: script, record: record))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return FakeBroker(listener: listener, record: record)
    }

    /// Every method that clients have sent, in its order.
    public var requests: [Request] { record.requests }

    /// How many connections have been made, those included that are gone.
    public var connectionCount: Int { record.connectionCount }

    /// Closes everything.
    public func close() async {
        try? await listener.close()
        await record.closeAll()
    }
}

/// What has happened at a fake broker.
private final class FakeBrokerRecord: Sendable {
    private struct State {
        var requests: [FakeBroker.Request] = []
        var channels: [any Channel] = []
    }

    private let state = Mutex(State())

    var requests: [FakeBroker.Request] { state.withLock { $0.requests } }
    var connectionCount: Int { state.withLock { $0.channels.count } }

    func add(_ request: FakeBroker.Request) { state.withLock { $0.requests.append(request) } }

    func add(_ channel: any Channel) -> Int {
        state.withLock { state in
            state.channels.append(channel)
            return state.channels.count
        }
    }

    func closeAll() async {
        for channel in state.withLock({ $0.channels }) { try? await channel.close() }
    }
}

/// One connection to a fake broker.
private final class FakeBrokerConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// Long enough that the kernel hands two pieces over one by one.
    private static let pauseBetweenPieces = TimeAmount.microseconds(500)

    private let number: Int
    private let script: FakeBroker.Script
    private let record: FakeBrokerRecord
    private var received = ByteBuffer()
    private var hasHeader = false
    private var waiting: [[UInt8]] = []
    private var isSending = false
    /// Publishes on each channel, and how much of the present one's body is missing.
    private var published: [UInt16: UInt64] = [:]
    private var missingBody: [UInt16: UInt64] = [:]

    init(number: Int, script: FakeBroker.Script, record: FakeBrokerRecord) {
        (self.number, self.script, self.record) = (number, script, record)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        received.writeBuffer(&bytes)
        if !hasHeader {
            guard received.readSlice(length: 8) != nil else { return }
            hasHeader = true
            let mechanisms = AMQPFrame.long(Array("PLAIN".utf8)) + AMQPFrame.long(Array("en_US".utf8))
            send([AMQPFrame.method(.start, channel: 0, [0, 9] + AMQPFrame.table([]) + mechanisms)], context)
        }
        while let (type, channel, payload) = nextFrame() {
            switch type {
            case 1: handle(method: payload, on: channel, context)
            case 2: publish(missing: payload.getInteger(at: payload.readerIndex + 4) ?? 0, on: channel, context)
            case 3:
                publish(missing: missingBody[channel, default: 0] - UInt64(payload.readableBytes), on: channel, context)
            default: break
            }
        }
    }

    private func nextFrame() -> (UInt8, UInt16, ByteBuffer)? {
        let start = received.readerIndex
        guard let size = received.getInteger(at: start + 3, as: UInt32.self),
            received.readableBytes >= Int(size) + 8,
            let type = received.readInteger(as: UInt8.self), let channel = received.readInteger(as: UInt16.self),
            received.readInteger(as: UInt32.self) != nil, let payload = received.readSlice(length: Int(size)),
            received.readInteger(as: UInt8.self) != nil
        else { return nil }
        return (type, channel, payload)
    }

    private func handle(method payload: ByteBuffer, on channel: UInt16, _ context: ChannelHandlerContext) {
        guard let id = payload.getInteger(at: payload.readerIndex, as: UInt32.self) else { return }
        let method = AMQPFrame.Method(UInt16(id >> 16), UInt16(id & 0xFFFF))
        let request = FakeBroker.Request(connection: number, channel: channel, method: method)
        record.add(request)
        send(script.answer(request) ?? usualAnswer(to: request), context)
        if method == .consume { send(script.afterConsume(request), context) }
    }

    private func usualAnswer(to request: FakeBroker.Request) -> [[UInt8]] {
        let channel = request.channel
        switch request.method {
        case .startOk:
            let limits: [UInt8] = AMQPFrame.bytes(UInt16(2_047)) + AMQPFrame.bytes(script.maxFrameBytes) + [0, 0]
            return [AMQPFrame.method(.tune, channel: 0, limits)]
        case .open: return [AMQPFrame.method(.openOk, channel: 0, [0])]
        case .close: return [AMQPFrame.method(.closeOk, channel: 0)]
        case .channelOpen: return [AMQPFrame.method(.channelOpenOk, channel: channel, [0, 0, 0, 0])]
        case .channelClose: return [AMQPFrame.method(.channelCloseOk, channel: channel)]
        case .qos: return [AMQPFrame.method(.qosOk, channel: channel)]
        case .consume: return [AMQPFrame.method(.consumeOk, channel: channel, AMQPFrame.short("c"))]
        case .cancel: return [AMQPFrame.method(.cancelOk, channel: channel, AMQPFrame.short("c"))]
        case .select:
            published[channel] = 0
            return [AMQPFrame.method(.selectOk, channel: channel)]
        default: return []
        }
    }

    /// Confirms a message when it is whole, on channels where that was asked for.
    private func publish(missing: UInt64, on channel: UInt16, _ context: ChannelHandlerContext) {
        missingBody[channel] = missing
        guard missing == 0, let count = published[channel] else { return }
        published[channel] = count + 1
        let whole = FakeBroker.Request(connection: number, channel: channel, method: .ack)
        send(
            script.answer(whole)
                ?? [AMQPFrame.method(.ack, channel: channel, AMQPFrame.bytes(count + 1) + [0])], context)
    }

    private func send(_ pieces: [[UInt8]], _ context: ChannelHandlerContext) {
        waiting += pieces
        guard !isSending else { return }
        isSending = true
        sendNext(context.channel)
    }

    private func sendNext(_ channel: any Channel) {
        guard !waiting.isEmpty else {
            isSending = false
            return
        }
        channel.writeAndFlush(ByteBuffer(bytes: waiting.removeFirst()), promise: nil)
        let next = NIOLoopBound(self, eventLoop: channel.eventLoop)
        channel.eventLoop.scheduleTask(in: Self.pauseBetweenPieces) { next.value.sendNext(channel) }
    }
}
