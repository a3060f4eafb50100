import NIOCore
import Synchronization

/// Runs tasks on an event loop, so that a connection's requests are worked on where its bytes come and go: a response from
/// memory changes no thread from the first byte of the request to the last of the answer. (On Swift's own pool it changed
/// threads at each read and each write.)
///
/// What runs there must neither block nor compute for long: the loop's other connections wait for it.
final class EventLoopExecutor: TaskExecutor {
    /// One for each loop, kept for ever: a task's executor has to outlive it, and there are as many loops as cores.
    private static let executors = Mutex<[ObjectIdentifier: EventLoopExecutor]>([:])

    private let loop: any EventLoop

    private init(_ loop: any EventLoop) {
        self.loop = loop
    }

    /// The executor of a loop.
    static func of(_ loop: any EventLoop) -> EventLoopExecutor {
        executors.withLock { executors in
            if let executor = executors[ObjectIdentifier(loop)] { return executor }
            let executor = EventLoopExecutor(loop)
            executors[ObjectIdentifier(loop)] = executor
            return executor
        }
    }

    /// Takes over a piece of a task.
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }

    /// Lets the loop look at its sockets. A task that only gives way to other tasks of its loop would not: a loop runs all
    /// of them before it looks.
    static func letOthersRun() async {
        await withTaskExecutorPreference(globalConcurrentExecutor) { await pause() }
    }

    @concurrent private static func pause() async {}
}
