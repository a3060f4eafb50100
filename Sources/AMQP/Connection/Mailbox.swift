internal import CRabbitMQ
internal import DequeModule
import Glibc
internal import Synchronization

/// Work for a connection's thread: anyone may put in, the thread takes out. Bounded in count and in body bytes.
///
/// The thread sleeps in `poll` on ``wakeDescriptor``. An eventfd is written only when the thread has said that it goes
/// to sleep, so a busy connection is fed without system calls.
final class Mailbox<Command: Sendable>: Sendable {
    private struct State {
        var commands: Deque<(command: Command, bytes: Int)> = []
        var bytes = 0
        var isClosed = false
        var isSleeping = false
    }

    private let state = Mutex(State())
    private let maxCount: Int
    private let maxBytes: Int

    /// Becomes readable when a sleeping thread has work.
    let wakeDescriptor: Int32

    init(maxCount: Int, maxBytes: Int) throws(AMQPError) {
        self.maxCount = maxCount
        self.maxBytes = maxBytes
        wakeDescriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard wakeDescriptor >= 0 else {
            throw AMQPError(
                .invalidConfiguration, "No file descriptor is left for a mailbox (errno \(errno)); raise `ulimit -n`.")
        }
    }

    deinit {
        _ = Glibc.close(wakeDescriptor)
    }

    /// Puts in a command.
    ///
    /// - Parameters:
    ///   - command: What to do.
    ///   - bytes: What it weighs. A command of 0 bytes is control and is always taken, since losing an
    ///     acknowledgement would stop a consumer for good; what bounds those is the prefetch.
    /// - Throws: `mailboxFull` or `closed`.
    func put(_ command: Command, bytes: Int) throws(AMQPError) {
        let result: Result<Bool, AMQPError> = state.withLock { state in
            if state.isClosed { return .failure(AMQPError(.closed, "The AMQP client has been shut down.")) }
            if bytes > 0, state.commands.count >= maxCount || state.bytes + bytes > maxBytes, !state.commands.isEmpty {
                return .failure(
                    AMQPError(
                        .mailboxFull,
                        "\(state.commands.count) messages (\(state.bytes) bytes) wait for the broker already."))
            }
            state.commands.append((command, bytes))
            state.bytes += bytes
            defer { state.isSleeping = false }
            return .success(state.isSleeping)
        }
        if try result.get() { wake() }
    }

    /// Whether nothing waits.
    var isEmpty: Bool { state.withLock { $0.commands.isEmpty } }

    /// Takes out the oldest commands.
    func take(upTo maxCount: Int) -> [Command] {
        state.withLock { state in
            let count = min(maxCount, state.commands.count)
            guard count > 0 else { return [] }
            let taken = state.commands.prefix(count).map { entry in
                state.bytes -= entry.bytes
                return entry.command
            }
            state.commands.removeFirst(count)
            return taken
        }
    }

    /// Says that the thread is about to sleep.
    ///
    /// - Returns: Whether it may: there is no work.
    func prepareToSleep() -> Bool {
        state.withLock { state in
            state.isSleeping = state.commands.isEmpty
            return state.isSleeping
        }
    }

    /// Says that the thread is awake again.
    ///
    /// - Parameter wasWoken: Whether the eventfd is readable; it is emptied then.
    func awake(wasWoken: Bool) {
        state.withLock { $0.isSleeping = false }
        guard wasWoken else { return }
        var count: UInt64 = 0
        _ = read(wakeDescriptor, &count, 8)
    }

    /// Takes no more commands.
    ///
    /// - Returns: What was still waiting.
    func close() -> [Command] {
        state.withLock { $0.isClosed = true }
        return take(upTo: .max)
    }

    /// Wakes the thread whatever it waits for.
    func wake() {
        var one: UInt64 = 1
        _ = write(wakeDescriptor, &one, 8)
    }
}
