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

    private let link: ConnectionLink<Role>
    private let role: Role
    private var state: State
    private var outage: Outage
    private var reader: FrameReader
    private var backlog = Backlog<Role.Command>()
    private(set) var waitsForRoom = false

    init(_ link: ConnectionLink<Role>, _ role: Role) {
        self.link = link
        self.role = role
        outage = Outage(backoff: link.configuration.backoff)
        reader = FrameReader(maxBodyBytes: link.configuration.maxBodyBytes)
        state = .connecting(ConnectionAttempt(link, role))
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
            connection.hasBufferedInput || (!waitsForRoom && !(backlog.isEmpty && link.mailbox.isEmpty))
                || link.isStopping
        case .resting: !link.mailbox.isEmpty || link.isStopping
        case .connecting, .ended: false
        }
    }

    var maxSleepMilliseconds: Int {
        switch state {
        // A quarter of the heartbeat interval is often enough to send our own in time.
        case .serving: min(link.configuration.heartbeatSeconds * 250, 1_000)
        case .resting(let end, _): max(0, Int(ContinuousClock.now.duration(to: end) / .milliseconds(1)) + 1)
        case .connecting, .ended: 1_000
        }
    }

    // MARK: Rounds

    func read(hasInput: Bool) -> Bool {
        switch state {
        case .serving(let connection, _): return read(from: connection, hasInput: hasInput)
        case .connecting(let attempt):
            guard let result = attempt.takeResult() else { return false }
            finish(result)
            return true
        case .resting(let end, let error):
            refuseCommands(error)
            guard link.isStopping || end <= .now else { return false }
            if link.isStopping { finish() } else { state = .connecting(ConnectionAttempt(link, role)) }
            return true
        case .ended: return false
        }
    }

    func write() -> Bool {
        guard case .serving(let connection, _) = state else { return false }
        do throws(AMQPError) {
            let hasWorked = try write(to: connection)
            if link.isStopping, backlog.isEmpty, link.mailbox.isEmpty, connection.unwrittenBytes == 0 {
                connection.close()
                state = .ended
                finish()
            } else if link.isStopping(for: Self.maxFlushTime) {
                throw AMQPError(.closed, "The broker did not take what was left to write.")
            }
            return hasWorked
        } catch {
            broken(error)
            return true
        }
    }

    private func read(from connection: RawConnection, hasInput: Bool) -> Bool {
        do throws(AMQPError) {
            try connection.beat(hasInput: hasInput, now: .now)
            guard hasInput || connection.hasBufferedInput else { return false }
            for _ in 0..<Self.maxFramesPerRound {
                let hadFrame = try reader.readFrame(from: connection) { (event, channel) throws(AMQPError) in
                    try role.handle(event, channel: channel, on: connection)
                }
                // What is in the socket is told by the next look at it, without a call that finds nothing.
                guard hadFrame, connection.hasBufferedInput else { break }
            }
        } catch {
            broken(error)
        }
        return true
    }

    /// Does a batch of work, handing over to the socket what it gathers.
    private func write(to connection: RawConnection) throws(AMQPError) -> Bool {
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
        return count > 0
    }

    private func flush(_ connection: RawConnection) throws(AMQPError) {
        waitsForRoom = try !connection.flush()
        if connection.unwrittenBytes == 0 { role.written() }
    }

    // MARK: Coming and going

    private func finish(_ result: Result<RawConnection, ConnectionAttempt<Role>.Failure>) {
        switch result {
        case .success(let connection):
            reader = FrameReader(maxBodyBytes: link.configuration.maxBodyBytes)
            state = .serving(connection, since: .now)
            link.status.set(isUp: true)
            reportConnected(to: connection.host)
        case .failure(let failure):
            if let host = failure.host { link.order.failed(host) }
            failed(failure.error, connectedFor: .zero)
        }
    }

    private func broken(_ error: AMQPError) {
        guard case .serving(let connection, let since) = state else { return }
        link.order.failed(connection.host)
        failed(error, connectedFor: since.duration(to: .now))
    }

    private func failed(_ error: AMQPError, connectedFor lifetime: Duration) {
        link.status.set(isUp: false)
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
        link.status.set(isUp: false)
        let closed = AMQPError(.closed, "The AMQP client has been shut down.")
        role.disconnected(closed)
        for command in link.mailbox.close() { role.refuse(command, closed) }
        link.ended()
    }

    // MARK: Reports

    private func reportConnected(to host: BrokerHost) {
        if outage.failures > 0 {
            Counter(label: "amqp_reconnects_total", dimensions: [("connection", link.name)]).increment()
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
