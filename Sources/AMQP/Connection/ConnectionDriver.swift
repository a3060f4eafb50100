import Glibc
internal import Logging
internal import Metrics

/// Makes one connection, serves it, and makes it again when it breaks. Lives on the connections' thread.
final class ConnectionDriver<Role: ConnectionRole>: ConnectionDriving {
    private enum State {
        case resting(until: ContinuousClock.Instant, AMQPError)
        case connecting(ConnectionAttempt<Role>)
        case serving(RawConnection, since: ContinuousClock.Instant)
        case ended
    }

    /// How long a stop waits for the socket to take what is left to write. Less than what Docker gives a process.
    private static var maxFlushTime: Duration { .seconds(5) }
    /// How many frames are read, and how many commands carried out, before others have their turn.
    private static var maxFramesPerRound: Int { 256 }
    private static var maxCommandsPerRound: Int { 256 }
    /// Its method, its header and a body of usual size.
    private static var framesOfAMessage: Int { 3 }

    private let link: ConnectionLink<Role>
    private let role: Role
    private var state: State
    private var outage: Outage
    private var reader: FrameReader
    private var backlog = Backlog<Role.Command>()
    private(set) var waitsForRoom = false
    /// Whether the broker has been told that this connection is to be closed; nothing else is written then.
    private var isLeaving = false
    /// What the rest of the process is told.
    private var isUp = false {
        didSet {
            guard isUp != oldValue else { return }
            link.status.set(isUp: isUp)
            connected.record(isUp ? 1 : 0)
        }
    }
    private let connected: Gauge

    init(_ link: ConnectionLink<Role>, _ role: Role) {
        self.link = link
        self.role = role
        outage = Outage(backoff: link.configuration.backoff)
        reader = Self.reader(link)
        state = .connecting(ConnectionAttempt(link))
        connected = Gauge(label: "millrace_amqp_connected", dimensions: [("connection", link.name)])
        connected.record(0)
    }

    private static func reader(_ link: ConnectionLink<Role>) -> FrameReader {
        FrameReader(maxBodyBytes: link.configuration.maxBodyBytes, checksum: link.configuration.bodyChecksum)
    }

    // MARK: What the thread asks

    var descriptor: Int32 {
        guard case .serving(let connection, _) = state else { return -1 }
        return connection.descriptor
    }

    var hasEnded: Bool {
        guard case .ended = state else { return false }
        return true
    }

    var hasWork: Bool {
        switch state {
        case .serving(let connection, _):
            // While the socket has no room, what is in the mailbox has to wait there.
            connection.hasBufferedInput
                || (!waitsForRoom && !isLeaving && (link.isStopping || !(backlog.isEmpty && link.mailbox.isEmpty)))
        case .resting: !link.mailbox.isEmpty || link.isStopping
        case .connecting, .ended: false
        }
    }

    var maxSleepMilliseconds: Int {
        switch state {
        // A quarter of the heartbeat interval is often enough to send our own in time.
        case .serving: min(link.configuration.heartbeatSeconds * 250, link.isStopping ? 100 : 1_000)
        case .resting(let end, _): max(0, Int(ContinuousClock.now.duration(to: end) / .milliseconds(1)) + 1)
        case .connecting, .ended: 1_000
        }
    }

    // MARK: Rounds

    func read(hasInput: Bool) -> Work {
        switch state {
        case .serving(let connection, _): return read(from: connection, hasInput: hasInput)
        case .connecting(let attempt):
            guard let result = attempt.takeResult() else { return .none }
            finish(result)
            return .single
        case .resting(let end, let error):
            refuseCommands(error)
            guard link.isStopping || end <= .now else { return .none }
            if link.isStopping { finish() } else { state = .connecting(ConnectionAttempt(link)) }
            return .single
        case .ended: return .none
        }
    }

    func write() -> Work {
        guard case .serving(let connection, _) = state else { return .none }
        do throws(AMQPError) {
            let work = try isLeaving ? writeLast(to: connection) : write(to: connection)
            if link.isStopping { try leave(connection) }
            return work
        } catch {
            broken(error)
            return .single
        }
    }

    private func read(from connection: RawConnection, hasInput: Bool) -> Work {
        var count = 0
        do throws(AMQPError) {
            let now = ContinuousClock.now
            try connection.beat(hasInput: hasInput, now: now)
            try connection.checkAnswers(now: now)
            guard hasInput || connection.hasBufferedInput else { return .none }
            for _ in 0..<Self.maxFramesPerRound {
                let hadFrame = try reader.readFrame(from: connection) { (event, channel) throws(AMQPError) in
                    try handle(event, channel: channel, on: connection)
                }
                count += 1
                guard case .serving = state else { break }
                // What is in the socket is told by the next look at it, without a call that finds nothing.
                guard hadFrame, connection.hasBufferedInput else { break }
            }
        } catch {
            broken(error)
        }
        return Work(max(count, 1), single: Self.framesOfAMessage)
    }

    private func handle(_ event: ConnectionEvent, channel: UInt16, on connection: RawConnection) throws(AMQPError) {
        switch event {
        case .answered(.connectionClosed): return finish()
        // It is not settled any more, so the broker gives it to another.
        case .content(.deliver, _) where isLeaving: return
        default: try role.handle(event, channel: channel, on: connection)
        }
        if role.isReady, !isLeaving { isUp = true }
    }

    /// Does a batch of work, handing over to the socket what it gathers.
    private func write(to connection: RawConnection) throws(AMQPError) -> Work {
        if waitsForRoom { try flush(connection) }
        var count = 0
        while !waitsForRoom, count < Self.maxCommandsPerRound {
            if backlog.isEmpty { backlog = Backlog(link.mailbox.take()) }
            guard let command = backlog.next() else { break }
            count += 1
            try role.perform(command, on: connection)
            if connection.isFull { try flush(connection) }
        }
        try role.settle(connection, now: .now)
        if !waitsForRoom { try flush(connection) }
        return Work(count, single: 1)
    }

    /// Says goodbye when all has been written that was to be; the broker's answer ends the connection.
    private func leave(_ connection: RawConnection) throws(AMQPError) {
        if link.isStopping(for: Self.maxFlushTime) {
            throw AMQPError(.closed, "The broker did not take what was left to write, or did not say goodbye.")
        }
        guard !isLeaving, backlog.isEmpty, link.mailbox.isEmpty, connection.unwrittenBytes == 0 else { return }
        isLeaving = true
        isUp = false
        try connection.ask(.closeConnection, on: 0)
        try flush(connection)
    }

    private func writeLast(to connection: RawConnection) throws(AMQPError) -> Work {
        if waitsForRoom { try flush(connection) }
        return .none
    }

    private func flush(_ connection: RawConnection) throws(AMQPError) {
        waitsForRoom = try !connection.flush()
        if connection.unwrittenBytes == 0 { role.written() }
    }

    // MARK: Coming and going

    private func finish(_ result: Result<RawConnection, AMQPError>) {
        switch result {
        case .success(let connection):
            reader = Self.reader(link)
            state = .serving(connection, since: .now)
            reportConnected(to: connection.host)
            do throws(AMQPError) {
                try role.connected(connection)
                if role.isReady { isUp = true }
            } catch {
                broken(error)
            }
        case .failure(let error):
            failed(error, connectedFor: .zero)
        }
    }

    private func broken(_ error: AMQPError) {
        guard case .serving(let connection, let since) = state else { return }
        // Nothing that was to be done is left; and a broker that is going down itself does not say goodbye.
        if isLeaving { return finish() }
        link.order.failed(connection.host)
        failed(error, connectedFor: since.duration(to: .now))
    }

    private func failed(_ error: AMQPError, connectedFor lifetime: Duration) {
        isUp = false
        waitsForRoom = false
        while let command = backlog.next() { role.refuse(command, error) }
        role.disconnected(error)
        let wait = outage.failed(connectedFor: lifetime)
        report(error, wait)
        // The connection goes with the state before.
        state = .resting(until: .now + wait, error)
        refuseCommands(error)
    }

    private func refuseCommands(_ error: AMQPError) {
        for command in link.mailbox.take() { role.refuse(command, error) }
    }

    /// The end, after a stop.
    private func finish() {
        state = .ended
        isUp = false
        let closed = AMQPError(.closed, "The AMQP client has been shut down.")
        role.disconnected(closed)
        for command in link.mailbox.close() { role.refuse(command, closed) }
        link.ended()
    }

    // MARK: Reports

    private func reportConnected(to host: BrokerHost) {
        if outage.failures > 0 {
            Counter(label: "millrace_amqp_reconnects_total", dimensions: [("connection", link.name)]).increment()
        }
        link.logger.info(
            "Connected to the broker",
            metadata: [
                "connection": "\(link.name)", "broker": "\(link.configuration.address.description(at: host))",
                "failed_attempts": "\(outage.failures)",
            ])
    }

    /// An outage is reported when it begins; its further attempts only for those who debug.
    private func report(_ error: AMQPError, _ wait: Duration) {
        link.logger.log(
            level: outage.failures == 1 ? .warning : .debug,
            "No connection to the broker: \(error.message)",
            metadata: ["connection": "\(link.name)", "attempt": "\(outage.failures)", "next_attempt_in": "\(wait)"])
    }
}

/// Commands that have been taken out of the mailbox and not been carried out yet.
private struct Backlog<Command> {
    private var commands: [Command]
    private var position = 0

    init(_ commands: [Command] = []) {
        self.commands = commands
    }

    var isEmpty: Bool { position == commands.count }

    mutating func next() -> Command? {
        guard position < commands.count else { return nil }
        defer {
            position += 1
            if position == commands.count { self = Backlog() }
        }
        return commands[position]
    }
}

/// Counts the failed attempts since the connection last held.
private struct Outage {
    /// A connection that lived this long was a good one; the count starts anew.
    private static let goodLifetime = Duration.seconds(5)

    private let backoff: Backoff
    private(set) var failures = 0
    private var generator = SystemRandomNumberGenerator()

    init(backoff: Backoff) {
        self.backoff = backoff
    }

    mutating func failed(connectedFor lifetime: Duration) -> Duration {
        if lifetime >= Self.goodLifetime { failures = 0 }
        failures += 1
        return backoff.delay(attempt: failures - 1, using: &generator)
    }
}
