internal import Logging
internal import Synchronization

/// One connection as the rest of the process sees it: what it is to do goes into the mailbox, and its thread does it.
final class ConnectionLink<Role: ConnectionRole>: Sendable {
    let mailbox: Mailbox<Role.Command>
    let status = ConnectionStatus()
    let name: String
    let configuration: AMQPConfiguration
    let order: HostOrder
    let logger: Logger
    let doorbell: Doorbell
    private let makeRole: @Sendable (ConnectionStatus) -> Role
    private let stopping = Mutex<ContinuousClock.Instant?>(nil)
    private let end = Mutex(End.open([]))

    private enum End {
        case open([CheckedContinuation<Void, Never>])
        case ended
    }

    init(
        name: String,
        configuration: AMQPConfiguration,
        order: HostOrder,
        doorbell: Doorbell,
        logger: Logger,
        makeRole: @escaping @Sendable (ConnectionStatus) -> Role
    ) {
        self.name = name
        var configuration = configuration
        configuration.connectionName += " (\(name))"
        self.configuration = configuration
        self.order = order
        self.doorbell = doorbell
        self.logger = logger
        self.makeRole = makeRole
        mailbox = Mailbox(
            maxCount: configuration.maxMailboxCount, maxBytes: configuration.maxMailboxBytes, doorbell: doorbell)
    }

    /// Makes what the thread drives; called once, on the thread.
    func driver() -> ConnectionDriver<Role> {
        ConnectionDriver(self, makeRole(status))
    }

    /// Has what waits in the mailbox written, says goodbye to the broker, and returns when that is done.
    func stop() async {
        stopping.withLock { $0 = .now }
        doorbell.ring()
        await withCheckedContinuation { continuation in
            let hasEnded = end.withLock { end in
                guard case .open(let waiters) = end else { return true }
                end = .open(waiters + [continuation])
                return false
            }
            if hasEnded { continuation.resume() }
        }
    }

    /// Whether ``stop()`` has been called.
    var isStopping: Bool { stopping.withLock { $0 != nil } }

    /// Whether ``stop()`` was called so long ago.
    func isStopping(for limit: Duration) -> Bool {
        stopping.withLock { $0.map { $0.duration(to: .now) > limit } ?? false }
    }

    /// Nothing more will be done. Called once, on the thread.
    func ended() {
        let waiters = end.withLock { end -> [CheckedContinuation<Void, Never>] in
            guard case .open(let waiters) = end else { return [] }
            end = .ended
            return waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
