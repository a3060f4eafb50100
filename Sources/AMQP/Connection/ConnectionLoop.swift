import Glibc
internal import Logging
internal import Metrics
internal import Synchronization

/// Drives one connection on one thread: makes it, serves it, and makes it again when it breaks.
///
/// Each time round: look at the socket (waiting only if there is nothing to do), read what has come, write what has
/// been asked for. The thread ends when it is told to stop and its mailbox is empty.
final class ConnectionLoop<Role: ConnectionRole>: Sendable {
    /// How long a stop waits for the socket to take what is left to write. Less than what Docker gives a process.
    private static var maxFlushTime: Duration { .seconds(5) }

    let mailbox: Mailbox<Role.Command>
    let status = ConnectionStatus()
    let breaker = SocketBreaker()

    private let configuration: AMQPConfiguration
    private let logger: Logger
    private let name: String
    private let order: HostOrder
    private let makeRole: @Sendable (ConnectionStatus) -> Role
    private let isStopping = StopFlag()
    private let thread = Mutex<OSThread?>(nil)

    init(
        name: String,
        configuration: AMQPConfiguration,
        order: HostOrder,
        logger: Logger,
        makeRole: @escaping @Sendable (ConnectionStatus) -> Role
    ) throws(AMQPError) {
        self.name = name
        var configuration = configuration
        configuration.connectionName += " (\(name))"
        self.configuration = configuration
        self.order = order
        self.logger = logger
        self.makeRole = makeRole
        mailbox = try Mailbox(maxCount: configuration.maxMailboxCount, maxBytes: configuration.maxMailboxBytes)
    }

    /// Starts the thread. Called once.
    func start() {
        thread.withLock { $0 = OSThread(name: "amqp-\(name)") { self.runThread() } }
    }

    /// Writes what waits in the mailbox, says goodbye to the broker and ends the thread.
    func stop() async {
        isStopping.set()
        mailbox.wake()
        await thread.withLock { $0 }?.ended()
    }

    // MARK: On the thread

    private func runThread() {
        let role = makeRole(status)
        var outage = Outage(backoff: configuration.backoff)
        while !isStopping.isSet {
            var connected: (host: BrokerHost, since: ContinuousClock.Instant)?
            do {
                let connection = try connect(role)
                connected = (connection.host, .now)
                try role.connected(connection)
                status.set(isUp: true)
                report(outage, connection.host)
                try serve(connection, role)
                connection.close()
                status.set(isUp: false)
                role.disconnected(AMQPError(.closed, "The AMQP client has been shut down."))
            } catch {
                status.set(isUp: false)
                role.disconnected(error)
                if let host = connected?.host { order.failed(host) }
                let wait = outage.failed(connectedFor: connected?.since.duration(to: .now) ?? .zero)
                report(error, outage, wait)
                rest(wait, role, error)
            }
        }
        let closed = AMQPError(.closed, "The AMQP client has been shut down.")
        for command in mailbox.close() { role.refuse(command, closed) }
    }

    /// Tries every host of the address once.
    private func connect(_ role: Role) throws(AMQPError) -> RawConnection {
        var failures: [AMQPError] = []
        var tried: Set<BrokerHost> = []
        // The order is looked at again after each failure: the other connection may have found one that answers.
        while !isStopping.isSet, let host = order.hosts.first(where: { !tried.contains($0) }) {
            tried.insert(host)
            do {
                return try RawConnection(configuration, to: host, breaker: breaker)
            } catch {
                failures.append(error)
                order.failed(host)
                // A host that does not answer may take seconds; who asks for something meanwhile is told.
                for command in mailbox.take(upTo: .max) { role.refuse(command, error) }
            }
        }
        throw AMQPError(joining: failures)
    }

    private func serve(_ connection: RawConnection, _ role: Role) throws(AMQPError) {
        var backlog = Backlog<Role.Command>()
        do {
            try serve(connection, role, &backlog)
        } catch {
            for command in backlog.commands { role.refuse(command, error) }
            throw error
        }
    }

    private func serve(
        _ connection: RawConnection, _ role: Role, _ backlog: inout Backlog<Role.Command>
    ) throws(AMQPError) {
        var reader = FrameReader(maxBodyBytes: configuration.maxBodyBytes)
        var wasIdle = false
        while true {
            // Before it sleeps it lets others run and looks once more: who has given it work often has more of it, and a
            // batch costs less than a wake-up for each.
            if mailbox.isEmpty, !wasIdle { sched_yield() }
            let hasWork = connection.hasBufferedInput || backlog.canBeWritten || !wasIdle
            // While the socket has no room, what is in the mailbox has to wait there.
            let mayWait = !hasWork && (backlog.waitsForRoom || (mailbox.prepareToSleep() && !isStopping.isSet))
            let ready = wait(on: connection.descriptor, forRoom: backlog.waitsForRoom, mayWait: mayWait)
            if ready.hasRoom { backlog.waitsForRoom = false }

            // A round without input is still used to ask the library once: it sends the heartbeats.
            if ready.hasInput || ready.timedOut || connection.hasBufferedInput {
                try read(from: connection, with: &reader, role)
            }
            let hasWritten = try write(&backlog, to: connection, role)
            wasIdle = !ready.hasInput && !hasWritten
            try role.settle(connection, now: .now)
            if isStopping.isSet, backlog.commands.isEmpty, mailbox.prepareToSleep() { return }
            if isStopping.hasLasted(Self.maxFlushTime) {
                throw AMQPError(.closed, "The broker did not take what was left to write.")
            }
        }
    }

    /// Reads a bounded number of frames, so that writing has its turn.
    private func read(
        from connection: RawConnection, with reader: inout FrameReader, _ role: Role
    ) throws(AMQPError) {
        for _ in 0..<256 {
            let hadFrame = try reader.readFrame(from: connection) { (event, channel) throws(AMQPError) in
                try role.handle(event, channel: channel, on: connection)
            }
            guard hadFrame else { return }
        }
    }

    /// Writes a batch, looking now and then whether the socket still takes bytes.
    ///
    /// - Returns: Whether there was anything to write.
    private func write(
        _ backlog: inout Backlog<Role.Command>, to connection: RawConnection, _ role: Role
    ) throws(AMQPError) -> Bool {
        if backlog.commands.isEmpty { backlog.commands = mailbox.take(upTo: 64)[...] }
        let count = backlog.commands.count
        var writtenBytes = 0
        while !backlog.waitsForRoom, let command = backlog.commands.popFirst() {
            try role.perform(command, on: connection)
            writtenBytes += Role.writtenBytes(of: command)
            if writtenBytes >= 65_536 {
                writtenBytes = 0
                backlog.waitsForRoom = !hasRoom(connection.descriptor)
            }
        }
        return backlog.commands.count < count
    }

    private func hasRoom(_ descriptor: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    private func wait(on descriptor: Int32, forRoom: Bool, mayWait: Bool) -> Readiness {
        let events = forRoom ? POLLIN | POLLOUT : POLLIN
        var entries = [
            pollfd(fd: descriptor, events: Int16(events), revents: 0),
            pollfd(fd: mailbox.wakeDescriptor, events: Int16(POLLIN), revents: 0),
        ]
        // A quarter of the heartbeat interval is often enough for the library to send its own in time.
        let timeout = Int32(min(configuration.heartbeatSeconds * 250, 1_000))
        let count = poll(&entries, 2, mayWait ? timeout : 0)
        if mayWait { mailbox.awake(wasWoken: entries[1].revents != 0) }
        let seen = Int32(entries[0].revents)
        return Readiness(
            hasInput: seen & ~Int32(POLLOUT) != 0, hasRoom: seen & Int32(POLLOUT) != 0, timedOut: mayWait && count == 0)
    }

    /// Waits for the next attempt to connect; refuses the work that comes meanwhile.
    private func rest(_ duration: Duration, _ role: Role, _ error: AMQPError) {
        let end = ContinuousClock.now + duration
        while !isStopping.isSet {
            for command in mailbox.take(upTo: .max) { role.refuse(command, error) }
            let left = ContinuousClock.now.duration(to: end)
            guard left > .zero else { return }
            guard mailbox.prepareToSleep() else { continue }
            var entry = pollfd(fd: mailbox.wakeDescriptor, events: Int16(POLLIN), revents: 0)
            let count = poll(&entry, 1, Int32(min(left / .milliseconds(1) + 1, 60_000)))
            mailbox.awake(wasWoken: count > 0)
        }
    }

    // MARK: Reports

    private func report(_ outage: Outage, _ host: BrokerHost) {
        if outage.failures > 0 {
            Counter(label: "amqp_reconnects_total", dimensions: [("connection", name)]).increment()
        }
        logger.info(
            "Connected to the broker",
            metadata: [
                "connection": "\(name)", "broker": "\(configuration.address.description(at: host))",
                "failed_attempts": "\(outage.failures)",
            ])
    }

    /// An outage is reported when it begins; its further attempts only for those who debug.
    private func report(_ error: AMQPError, _ outage: Outage, _ wait: Duration) {
        logger.log(
            level: outage.failures == 1 ? .warning : .debug,
            "No connection to the broker: \(error.message)",
            metadata: ["connection": "\(name)", "attempt": "\(outage.failures)", "next_attempt_in": "\(wait)"])
    }
}

/// Set once, by whoever stops the loop; read by the loop.
private final class StopFlag: Sendable {
    private let since = Mutex<ContinuousClock.Instant?>(nil)

    var isSet: Bool { since.withLock { $0 != nil } }

    func set() {
        since.withLock { $0 = .now }
    }

    func hasLasted(_ limit: Duration) -> Bool {
        since.withLock { $0.map { $0.duration(to: .now) > limit } ?? false }
    }
}

private struct Readiness {
    let hasInput: Bool
    let hasRoom: Bool
    let timedOut: Bool
}

/// Work that has been taken out of the mailbox and not been written yet.
private struct Backlog<Command> {
    var commands: ArraySlice<Command> = []
    var waitsForRoom = false

    var canBeWritten: Bool { !commands.isEmpty && !waitsForRoom }
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
