import Foundation
import Glibc
import Synchronization

/// A process that a test started.
///
/// A thread of its own starts it and waits for it. The kernel kills it when that thread ends before it does
/// (`PR_SET_PDEATHSIG`, which is bound to the thread), so that nothing is left when the tests themselves are killed.
final class LaunchedProcess: Sendable {
    /// How a process ended.
    enum Exit: Sendable, Equatable {
        case code(Int32)
        case signal(Int32)
    }

    /// What to start.
    struct Command: Sendable {
        var executable: URL
        var arguments: [String] = []
        /// All of its environment: what the tests have in theirs must not reach it unseen.
        var environment: [String: String]
        var folder: URL
        var standardOutput: URL
        var standardError: URL
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private struct State {
        var exit: Exit?
        var waiters: [CheckedContinuation<Exit, Never>] = []
    }

    /// What the thread and the tests share.
    private final class Shared: Sendable {
        let state = Mutex(State())
    }

    private let shared = Shared()
    let pid: pid_t

    /// Starts a process.
    init(_ command: Command) async throws {
        let started: Result<pid_t, Failure> = await withCheckedContinuation { [shared] started in
            Thread.detachNewThread { Self.runOnThisThread(command, shared) { started.resume(returning: $0) } }
        }
        pid = try started.get()
    }

    /// Sends a signal, unless the process has ended.
    func signal(_ number: Int32) {
        shared.state.withLock { state in
            if state.exit == nil { kill(pid, number) }
        }
    }

    /// How it ended; `nil` while it runs.
    var exit: Exit? { shared.state.withLock { $0.exit } }

    /// Waits until it has ended, however long that takes, cancelled or not.
    @discardableResult
    func waitForExit() async -> Exit {
        await withCheckedContinuation { waiter in
            let exit = shared.state.withLock { state in
                if state.exit == nil { state.waiters.append(waiter) }
                return state.exit
            }
            if let exit { waiter.resume(returning: exit) }
        }
    }

    /// Waits until it has ended.
    ///
    /// - Throws: ``Failure`` when it still runs after that time.
    func exit(within limit: Duration) async throws -> Exit {
        let end = ContinuousClock.now + limit
        while true {
            if let exit { return exit }
            guard ContinuousClock.now < end else {
                throw Failure(description: "process \(pid) still runs after \(limit)")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    // MARK: - On the thread of the process

    private static func runOnThisThread(
        _ command: Command, _ shared: Shared, onStart: (Result<pid_t, Failure>) -> Void
    ) {
        var pid: pid_t = 0
        let failure = spawn(command, &pid)
        guard failure == 0 else {
            let reason = String(cString: strerror(failure))
            return onStart(.failure(Failure(description: "\(command.executable.path) cannot be started: \(reason)")))
        }
        onStart(.success(pid))
        // Looked at first and collected under the lock: a signal can never reach another process of the same number.
        var information = siginfo_t()
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        let (exit, waiters) = shared.state.withLock { state in
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            let exit: Exit = status & 0x7F == 0 ? .code((status >> 8) & 0xFF) : .signal(status & 0x7F)
            state.exit = exit
            defer { state.waiters = [] }
            return (exit, state.waiters)
        }
        for waiter in waiters { waiter.resume(returning: exit) }
    }

    private static func spawn(_ command: Command, _ pid: inout pid_t) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        let flags = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, 1, command.standardOutput.path, flags, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, command.standardError.path, flags, 0o600)
        closeOnExecution()

        // The thread may have inherited blocked signals; a service has to see SIGTERM.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

        let start = ["setpriv", "--pdeathsig", "KILL", "env", "--chdir", command.folder.path]
        let words = start + [command.executable.path] + command.arguments
        let settings = command.environment.map { "\($0)=\($1)" }
        return withCStrings(words) { words in
            withCStrings(settings) { settings in
                posix_spawnp(&pid, "setpriv", &actions, &attributes, words, settings)
            }
        }
    }

    /// A socket of the tests that lived on in a service would never be seen to close.
    private static func closeOnExecution() {
        let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        for descriptor in descriptors.compactMap({ Int32($0) }) where descriptor > 2 {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }
    }

    private static func withCStrings<Value>(
        _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Value
    ) -> Value {
        let pointers = texts.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers + [nil])
    }
}
