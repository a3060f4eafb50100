internal import Synchronization

/// Work for a connection: anyone may put in, the connection's thread takes out. Bounded in count and in body bytes.
final class Mailbox<Command: Sendable>: Sendable {
    private struct State {
        var commands: [Command] = []
        var bytes = 0
        var isClosed = false
    }

    private let state = Mutex(State())
    private let maxCount: Int
    private let maxBytes: Int
    private let doorbell: Doorbell

    /// - Parameters:
    ///   - maxCount: How many commands may wait.
    ///   - maxBytes: What those that wait may weigh.
    ///   - doorbell: How the thread is woken.
    init(maxCount: Int, maxBytes: Int, doorbell: Doorbell) {
        self.maxCount = maxCount
        self.maxBytes = maxBytes
        self.doorbell = doorbell
    }

    /// Puts in a command.
    ///
    /// - Parameters:
    ///   - command: What to do.
    ///   - bytes: What it weighs. A command of 0 bytes is control and is always taken, since losing an
    ///     acknowledgement would stop a consumer for good; what bounds those is the prefetch.
    /// - Throws: `mailboxFull` or `closed`.
    func put(_ command: Command, bytes: Int) throws(AMQPError) {
        let fault: AMQPError? = state.withLock { state in
            if state.isClosed { return AMQPError(.closed, "The AMQP client has been shut down.") }
            if bytes > 0, state.commands.count >= maxCount || state.bytes + bytes > maxBytes, !state.commands.isEmpty {
                return AMQPError(
                    .mailboxFull, "\(state.commands.count) messages (\(state.bytes) bytes) wait for the broker already."
                )
            }
            state.commands.append(command)
            state.bytes += bytes
            return nil
        }
        if let fault { throw fault }
        doorbell.ring()
    }

    /// Whether nothing waits.
    var isEmpty: Bool { state.withLock { $0.commands.isEmpty } }

    /// Takes out all commands, in their order. A batch costs no more than a command: nothing is copied.
    func take() -> [Command] {
        state.withLock { state in
            let taken = state.commands
            state.commands = []
            state.bytes = 0
            return taken
        }
    }

    /// Takes no more commands.
    ///
    /// - Returns: What was still waiting.
    func close() -> [Command] {
        state.withLock { $0.isClosed = true }
        return take()
    }
}
