internal import CRabbitMQ
import Glibc
internal import NIOCore

/// One connection of librabbitmq. One thread makes it, and hands it over to the one that it belongs to from then on.
///
/// Only making it waits for the network. The library logs in and reads frames; what is written is gathered here and goes
/// out with ``flush()``, and what the broker is asked for it answers with a frame like any other.
final class RawConnection: FrameSource {
    private let connection: amqp_connection_state_t
    private let encoder = WireEncoder()
    private let maxWriteTime: Duration
    private let replyTime: Duration
    private let maxChannel: UInt16
    private var openedChannels: Set<UInt16> = [0]
    private var calls = ChannelCalls()
    private let writer: FrameWriter
    private let input: FrameInput<ByteStream>
    /// Whether the library may have read more than the login; it is asked first then.
    private var isLibraryReading = true
    private var heartbeats: Heartbeats
    /// Since when the socket has taken nothing of what waits for it.
    private var stuckSince: ContinuousClock.Instant?
    let descriptor: Int32
    /// The node it leads to.
    let host: BrokerHost

    // MARK: Life

    /// Connects to one host of the address, logs in and asks for heartbeats.
    init(_ configuration: AMQPConfiguration, to host: BrokerHost) throws(AMQPError) {
        guard let connection = amqp_new_connection() else {
            throw AMQPError(.unreachable, "There is no memory for a connection.")
        }
        let session: OpaquePointer?
        do {
            session = try Self.open(connection, configuration, host)
            try Self.logIn(connection, configuration, host, encoder)
        } catch {
            amqp_destroy_connection(connection)
            throw error
        }
        self.connection = connection
        self.host = host
        maxWriteTime = .seconds(configuration.maxWriteSeconds)
        replyTime = .seconds(configuration.replySeconds)
        // 0 is for no limit (AMQP 0-9-1, section 1.4.2.6).
        let agreed = amqp_get_channel_max(connection)
        maxChannel = agreed > 0 ? UInt16(clamping: agreed) : .max
        heartbeats = Self.takeOverHeartbeats(connection)
        descriptor = amqp_get_sockfd(connection)
        let stream = session.map(ByteStream.session) ?? .socket(descriptor)
        let maxFrameBytes = Int(amqp_get_frame_max(connection))
        writer = FrameWriter(to: stream, maxFrameBytes: maxFrameBytes)
        input = FrameInput(from: stream, decoder: connection, maxFrameBytes: maxFrameBytes)
    }

    deinit {
        amqp_destroy_connection(connection)
    }

    /// - Returns: The session of OpenSSL, with TLS.
    private static func open(
        _ connection: amqp_connection_state_t, _ configuration: AMQPConfiguration, _ host: BrokerHost
    ) throws(AMQPError) -> OpaquePointer? {
        var session: OpaquePointer?
        let address = configuration.address
        let socket = address.usesTLS ? amqp_ssl_socket_new(connection) : amqp_tcp_socket_new(connection)
        guard let socket else { throw AMQPError(.unreachable, "There is no memory for a socket.") }
        var timeout = timeval(tv_sec: configuration.connectSeconds, tv_usec: 0)
        let begin = ContinuousClock.now
        if address.usesTLS {
            session = try TrustedSocket(socket, address, host).open(within: timeout)
        } else {
            let status = amqp_socket_open_noblock(socket, host.name, Int32(host.port), &timeout)
            guard status == AMQP_STATUS_OK.rawValue else {
                let place = address.description(at: host)
                throw AMQPError(.unreachable, "No broker answers at \(place): \(text(ofStatus: status)).")
            }
        }
        // The login has what is left of the time, and at least a second.
        timeout.tv_sec = max(1, timeout.tv_sec - Int(begin.duration(to: .now).components.seconds))
        amqp_set_handshake_timeout(connection, &timeout)
        var reply = timeval(tv_sec: configuration.replySeconds, tv_usec: 0)
        amqp_set_rpc_timeout(connection, &reply)
        return session
    }

    private static func logIn(
        _ connection: amqp_connection_state_t, _ configuration: AMQPConfiguration, _ host: BrokerHost,
        _ encoder: WireEncoder
    ) throws(AMQPError) {
        defer { encoder.reset() }
        var properties = encoder.table([
            "connection_name": .string(configuration.connectionName),
            "product": .string("Millrace"),
            "capabilities": .table([
                "publisher_confirms": .bool(true),
                "basic.nack": .bool(true),
                "consumer_cancel_notify": .bool(true),
                "connection.blocked": .bool(true),
                "authentication_failure_close": .bool(true),
            ]),
        ])
        let address = configuration.address
        let reply = millrace_login_plain(
            connection, address.virtualHost, 0, AMQP_DEFAULT_FRAME_SIZE, Int32(configuration.heartbeatSeconds),
            &properties, address.user, address.password)
        if let error = loginError(reply, address.description(at: host), usesTLS: address.usesTLS) { throw error }
        guard amqp_get_frame_max(connection) >= AMQP_FRAME_MIN_SIZE else {
            throw AMQPError(
                .protocolViolation,
                "The broker at \(address.description(at: host)) wants frames below AMQP's least size.")
        }
    }

    private static func loginError(_ reply: amqp_rpc_reply_t, _ place: String, usesTLS: Bool) -> AMQPError? {
        switch reply.reply_type {
        case AMQP_RESPONSE_NORMAL:
            return nil
        case AMQP_RESPONSE_SERVER_EXCEPTION:
            let exception = ServerException(reply.reply)
            return AMQPError(.refused, "The broker refuses \(place): \(exception.code) \(exception.text)")
        default:
            let status = reply.library_error
            // A broker that knows no `authentication_failure_close` just hangs up, as does one that expects TLS.
            let remedy = usesTLS ? "" : " Where the port expects TLS, the address begins with amqps://."
            return AMQPError(.unreachable, "No login at \(place): \(text(ofStatus: status)).\(remedy)")
        }
    }

    /// The library would write its own in the middle of ours.
    private static func takeOverHeartbeats(_ connection: amqp_connection_state_t) -> Heartbeats {
        let agreed = Heartbeats(agreedSeconds: Int(amqp_get_heartbeat(connection)), now: .now)
        amqp_tune_connection(connection, amqp_get_channel_max(connection), amqp_get_frame_max(connection), 0)
        return agreed
    }

    static func text(ofStatus status: Int32) -> String {
        String(cString: amqp_error_string2(status))
    }

    // MARK: What the broker answers

    /// Asks the broker for something. Its answer comes as an event; so does its refusal, which closes the channel.
    ///
    /// - Throws: `invalidConfiguration` when a name is too long, or the broker allows no channel of that number; nothing is
    ///   asked for then.
    func ask(_ request: ChannelRequest, on channel: UInt16) throws(AMQPError) {
        defer { encoder.reset() }
        guard channel <= maxChannel else {
            throw AMQPError(.invalidConfiguration, "The broker allows \(maxChannel) channels a connection, not more.")
        }
        try request.write(to: writer, encoder, on: channel)
        if case .openChannel = request { openedChannels.insert(channel) }
        calls.asked(request, on: channel, now: .now)
    }

    func answered(_ answer: ChannelAnswer, on channel: UInt16) throws(AMQPError) {
        try calls.answered(answer, on: channel)
    }

    func wasClosed(_ channel: UInt16, _ exception: ServerException) throws(AMQPError) -> AMQPError {
        let refused = calls.closed(channel, because: exception.method)
        var method = amqp_channel_close_ok_t()
        try writer.add(method: UInt32(AMQP_CHANNEL_CLOSE_OK_METHOD), &method, on: channel)
        let what = refused.map { "The broker refuses to \($0.purpose)" } ?? "The broker closed the channel"
        return AMQPError(.channelClosed(code: exception.code), "\(what): \(exception.code) \(exception.text)")
    }

    /// Notices when the broker owes an answer for longer than the reply time.
    ///
    /// - Throws: `connectionLost`.
    func checkAnswers(now: ContinuousClock.Instant) throws(AMQPError) {
        guard let request = calls.overdue(after: replyTime, now: now) else { return }
        throw AMQPError(
            .connectionLost, "The broker was to \(request.purpose), and has not answered for \(replyTime).")
    }

    // MARK: What it does not answer

    /// - Parameters:
    ///   - command: What to publish.
    ///   - header: A header to add to it.
    ///   - channel: Where.
    /// - Throws: `invalidConfiguration` when the properties do not fit into a frame; then nothing of it is written.
    func publish(
        _ command: PublishCommand, adding header: FieldTable.Entry?, on channel: UInt16
    ) throws(AMQPError) {
        defer { encoder.reset() }
        let message = command.message
        var properties = encoder.properties(message.properties, adding: header)
        let (exchange, key) = (encoder.bytes(command.exchange), encoder.bytes(command.routingKey))
        let mandatory: amqp_boolean_t = command.isMandatory ? 1 : 0
        var method = amqp_basic_publish_t(
            ticket: 0, exchange: exchange, routing_key: key, mandatory: mandatory, immediate: 0)
        try writer.add(&method, &properties, message.body, on: channel)
    }

    func acknowledge(_ tag: UInt64, isMultiple: Bool, on channel: UInt16) throws(AMQPError) {
        var method = amqp_basic_ack_t(delivery_tag: tag, multiple: isMultiple ? 1 : 0)
        try writer.add(method: UInt32(AMQP_BASIC_ACK_METHOD), &method, on: channel)
    }

    func reject(_ tag: UInt64, requeue: Bool, on channel: UInt16) throws(AMQPError) {
        var method = amqp_basic_nack_t(delivery_tag: tag, multiple: 0, requeue: requeue ? 1 : 0)
        try writer.add(method: UInt32(AMQP_BASIC_NACK_METHOD), &method, on: channel)
    }

    func confirmConnectionClose() {
        var method = amqp_connection_close_ok_t()
        try? writer.add(method: UInt32(AMQP_CONNECTION_CLOSE_OK_METHOD), &method, on: 0)
        _ = try? flush()
    }

    /// How many bytes have been gathered and not been written yet.
    var unwrittenBytes: Int { writer.pendingBytes }

    /// Whether it is time for ``flush()``, before more is gathered.
    var isFull: Bool { unwrittenBytes >= 65_536 }

    /// Writes what has been gathered, as far as the socket takes it; never waits.
    ///
    /// - Returns: Whether the socket would take more.
    /// - Throws: `connectionLost`, also when it has taken nothing for the time that a write may take.
    func flush() throws(AMQPError) -> Bool {
        guard writer.pendingBytes > 0 else { return true }
        let now = ContinuousClock.now
        if try writer.flush() > 0 {
            heartbeats.sent(now: now)
            stuckSince = nil
        }
        guard writer.pendingBytes > 0 else { return true }
        let since = stuckSince ?? now
        stuckSince = since
        guard since.duration(to: now) <= maxWriteTime else {
            throw AMQPError(.connectionLost, "The broker has taken no bytes for \(maxWriteTime).")
        }
        return false
    }

    /// Sends a heartbeat when one is due, and notices when the broker's are missing.
    ///
    /// - Parameters:
    ///   - hasInput: Whether something has come.
    ///   - now: The time.
    /// - Throws: `connectionLost`.
    func beat(hasInput: Bool, now: ContinuousClock.Instant) throws(AMQPError) {
        if hasInput { heartbeats.received(now: now) }
        if heartbeats.isLost(now: now) {
            throw AMQPError(.connectionLost, "Nothing has come from the broker for two heartbeats.")
        }
        guard heartbeats.isDue(now: now) else { return }
        // Behind bytes that wait, it would tell nothing.
        guard writer.pendingBytes == 0 else { return }
        writer.addHeartbeat()
        _ = try flush()
    }

    // MARK: Receiving

    func hasOpened(_ channel: UInt16) -> Bool { openedChannels.contains(channel) }

    /// Whether there is something to work on that `poll` cannot see.
    var hasBufferedInput: Bool { libraryHasInput || input.hasInput }

    private var libraryHasInput: Bool {
        isLibraryReading && (amqp_frames_enqueued(connection) != 0 || amqp_data_in_buffer(connection) != 0)
    }

    /// The next frame, if one is there, or as much of a body frame as is there; never waits, and never writes.
    func receive() throws(AMQPError) -> ReceivedFrame? {
        // What follows the login at once, the library may have read with it, and the last frame of that in part.
        if isLibraryReading, libraryHasInput || amqp_release_buffers_ok(connection) == 0 {
            return try receiveFromLibrary().map(ReceivedFrame.decoded)
        }
        isLibraryReading = false
        return try input.receive()
    }

    private func receiveFromLibrary() throws(AMQPError) -> amqp_frame_t? {
        var frame = amqp_frame_t()
        var noTime = timeval(tv_sec: 0, tv_usec: 0)
        let status = amqp_simple_wait_frame_noblock(connection, &frame, &noTime)
        switch status {
        case AMQP_STATUS_OK.rawValue: return frame
        case AMQP_STATUS_TIMEOUT.rawValue: return nil
        default: throw AMQPError(.connectionLost, "The connection broke: \(Self.text(ofStatus: status)).")
        }
    }

    var channelInBody: UInt16? { isLibraryReading ? nil : input.channelInBody }

    func receive(into room: UnsafeMutableRawBufferPointer) throws(AMQPError) -> ReceivedBody? {
        try input.receive(into: room)
    }

    /// Gives back the memory of the frames of a channel, once what they carried has been copied.
    func releaseBuffers(of channel: UInt16) {
        amqp_maybe_release_buffers_on_channel(connection, channel)
    }
}

/// Why the broker closed a channel or the connection.
struct ServerException {
    let code: UInt16
    let text: String
    /// What the broker could not do; 0 when it says nothing of a method.
    let method: amqp_method_number_t

    init(_ method: amqp_method_t) {
        switch (method.id, method.decoded) {
        case (UInt32(AMQP_CHANNEL_CLOSE_METHOD), let decoded?):
            let close = decoded.assumingMemoryBound(to: amqp_channel_close_t.self).pointee
            (code, text) = (close.reply_code, WireDecoder.string(close.reply_text))
            self.method = amqp_method_number_t(close.class_id) << 16 | amqp_method_number_t(close.method_id)
        case (UInt32(AMQP_CONNECTION_CLOSE_METHOD), let decoded?):
            let close = decoded.assumingMemoryBound(to: amqp_connection_close_t.self).pointee
            (code, text) = (close.reply_code, WireDecoder.string(close.reply_text))
            self.method = amqp_method_number_t(close.class_id) << 16 | amqp_method_number_t(close.method_id)
        default:
            (code, text, self.method) = (0, "unexpected method \(method.id)", 0)
        }
    }
}
