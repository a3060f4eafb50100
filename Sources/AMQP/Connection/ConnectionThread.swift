import Glibc
internal import Synchronization

/// The thread on which a client's connections live. It also runs the tasks that prefer to be where messages come and go: a
/// request that is read here, worked on here and answered from here costs no change of threads, and a round of them costs
/// one system call.
///
/// Each time round: look at the sockets (waiting only if there is nothing to do), read what has come, run the tasks that
/// are ready, write what they gave.
final class ConnectionThread: TaskExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var isRunning = false
    }

    /// How many jobs are run before the sockets are looked at again.
    private static let maxJobsPerRound = 1_024
    private static let maxSleepMilliseconds = 1_000
    /// For how many rounds after several things at once more of the kind is expected.
    private static let roundsAfterBatch = 32

    let doorbell: Doorbell
    private let state = Mutex(State())
    private let thread = Mutex<OSThread?>(nil)

    init() throws(AMQPError) {
        doorbell = try Doorbell()
    }

    /// Starts the thread. Called once.
    ///
    /// - Parameter makeDrivers: Makes what it drives, on the thread. It ends when all of them have ended.
    func start(_ makeDrivers: @escaping @Sendable () -> [any ConnectionDriving]) {
        state.withLock { $0.isRunning = true }
        thread.withLock { $0 = OSThread(name: "amqp") { self.run(makeDrivers()) } }
    }

    /// Waits until the thread has ended.
    func ended() async {
        await thread.withLock { $0 }?.ended()
    }

    // MARK: Jobs

    /// Takes over a piece of a task. While the thread does not run, Swift's own pool does it.
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isTaken = state.withLock { state in
            if state.isRunning { state.jobs.append(job) }
            return state.isRunning
        }
        if isTaken {
            doorbell.ring()
        } else {
            globalConcurrentExecutor.enqueue(ExecutorJob(job))
        }
    }

    private var hasJobs: Bool { state.withLock { !$0.jobs.isEmpty } }

    private func takeJobs() -> [UnownedJob] {
        state.withLock { state in
            defer { state.jobs = [] }
            return state.jobs
        }
    }

    /// - Returns: How many there were.
    private func runJobs() -> Work {
        var count = 0
        while count < Self.maxJobsPerRound {
            let jobs = takeJobs()
            if jobs.isEmpty { break }
            for job in jobs { job.runSynchronously(on: asUnownedTaskExecutor()) }
            count += jobs.count
        }
        return Work(count, single: 1)
    }

    // MARK: On the thread

    private func run(_ drivers: [any ConnectionDriving]) {
        var entries =
            drivers.map { _ in pollfd() } + [pollfd(fd: doorbell.descriptor, events: Int16(POLLIN), revents: 0)]
        var work = Work.none
        var roundsToLookTwice = 0
        while drivers.contains(where: { !$0.hasEnded }) {
            // Where things come several at a time, it lets others run and looks once more before it sleeps: a batch costs less
            // than a wake-up for each. Where they come one by one, looking would only cost time.
            if work == .several { roundsToLookTwice = Self.roundsAfterBatch }
            let looksTwice = work != .none && roundsToLookTwice > 0
            if looksTwice {
                roundsToLookTwice -= 1
                sched_yield()
            }
            wait(for: drivers, mayWait: !looksTwice, &entries)

            work = .none
            for (driver, entry) in zip(drivers, entries) {
                work = max(work, driver.read(hasInput: Int32(entry.revents) & ~Int32(POLLOUT) != 0))
            }
            work = max(work, runJobs())
            // In the opposite order: the replies that are written settle the requests that were read.
            for driver in drivers.reversed() { work = max(work, driver.write()) }
        }
        let jobs = state.withLock { state in
            state.isRunning = false
            defer { state.jobs = [] }
            return state.jobs
        }
        for job in jobs { globalConcurrentExecutor.enqueue(ExecutorJob(job)) }
    }

    private func wait(for drivers: [any ConnectionDriving], mayWait: Bool, _ entries: inout [pollfd]) {
        var timeout = Self.maxSleepMilliseconds
        for (index, driver) in drivers.enumerated() {
            entries[index].fd = driver.descriptor
            entries[index].events = Int16(driver.waitsForRoom ? POLLIN | POLLOUT : POLLIN)
            timeout = min(timeout, driver.maxSleepMilliseconds)
        }
        let sleeps =
            mayWait && timeout > 0
            && doorbell.prepareToSleep(unless: { hasJobs || drivers.contains { $0.hasWork } })
        _ = poll(&entries, nfds_t(entries.count), sleeps ? Int32(timeout) : 0)
        if sleeps { doorbell.awake(wasRung: entries[drivers.count].revents != 0) }
    }
}

/// A connection as its thread sees it. Everything here is called on that thread, and does not wait.
protocol ConnectionDriving: AnyObject {
    /// The socket, or -1 while there is none.
    var descriptor: Int32 { get }

    /// Whether bytes wait for room in the socket.
    var waitsForRoom: Bool { get }

    /// Whether there is something to do at once, whatever the socket says.
    var hasWork: Bool { get }

    /// For how long it may be left alone.
    var maxSleepMilliseconds: Int { get }

    /// Whether it has been stopped and is done.
    var hasEnded: Bool { get }

    /// Reads what has come.
    ///
    /// - Parameter hasInput: Whether the socket has something to tell.
    /// - Returns: How much there was to do.
    func read(hasInput: Bool) -> Work

    /// Does what has been asked for, writes it, and whatever else is due.
    ///
    /// - Returns: How much there was to do.
    func write() -> Work
}

/// How much a round of work was.
enum Work: Comparable {
    case none
    case single
    case several

    /// - Parameters:
    ///   - count: How many things were done.
    ///   - single: As many can belong to one message.
    init(_ count: Int, single: Int) {
        self = count == 0 ? .none : count <= single ? .single : .several
    }
}
