import Synchronization

/// The threads that run operations, the bounded queue in front of them, and the timekeeper that answers callers at their
/// deadlines whatever the threads are doing.
final class WorkerPool: Sendable {
    private struct State {
        var queue: [any PendingOperation] = []
        /// What the threads are doing, as far as somebody still waits for it.
        var running: [ObjectIdentifier: any PendingOperation] = [:]
        var isClosed = false
        var isFinished = false
        var threadsAlive = 0
        /// When the timekeeper will look next; nil when it sleeps until it is woken.
        var nextLook: ContinuousClock.Instant?
        var threads: [WorkerThread] = []
        var shutdownWaiters: [CheckedContinuation<Void, Never>] = []
    }

    private enum Duty {
        case expire([any PendingOperation])
        case finish
    }

    private let monitor = Monitor(State())
    private let driver: DriverPool
    private let maxQueuedOperations: Int
    private let depthChanged: @Sendable (Int) -> Void

    /// Starts the threads.
    ///
    /// - Throws: ``MongoError`` when the system refuses a thread; those already started end by themselves.
    init(
        driver: DriverPool, threads: Int, maxQueuedOperations: Int, depthChanged: @escaping @Sendable (Int) -> Void
    ) throws(MongoError) {
        self.driver = driver
        self.maxQueuedOperations = maxQueuedOperations
        self.depthChanged = depthChanged
        do {
            try WorkerThread(name: "mongo-timer") { self.keepTime() }.detach()
        } catch {
            driver.destroy()
            throw error
        }
        do {
            for index in 0..<threads {
                monitor.withLock { $0.threadsAlive += 1 }
                let thread = try WorkerThread(name: "mongo-\(index)") { self.work() }
                monitor.withLock { $0.threads.append(thread) }
            }
        } catch {
            monitor.withLock { $0.threadsAlive -= 1 }
            close()
            throw error
        }
    }

    // MARK: - Callers

    /// Puts an operation into the queue, or fails it at once when the queue is full or the pool is closed.
    func submit(_ operation: any PendingOperation) {
        let (refusal, depth): (MongoError?, Int) = monitor.withLock { state in
            if state.isClosed {
                return (MongoError(.closed, "the MongoDB client has been shut down"), 0)
            }
            if state.queue.count >= maxQueuedOperations {
                return (
                    MongoError(
                        .overloaded,
                        "\(maxQueuedOperations) database operations are waiting already; try again later, or raise "
                            + "maxQueuedOperations or poolThreads"), state.queue.count
                )
            }
            state.queue.append(operation)
            monitor.wakeOne(.work)
            if state.nextLook.map({ operation.deadline < $0 }) ?? true {
                state.nextLook = operation.deadline
                monitor.wakeOne(.time)
            }
            return (nil, state.queue.count)
        }
        depthChanged(depth)
        if let refusal { operation.fail(refusal) }
    }

    /// Finishes an operation with `CancellationError`. It is not started if it has not been yet; otherwise it goes on, and its
    /// result is dropped.
    func cancel(_ operation: any PendingOperation) {
        monitor.withLock { state in
            state.queue.removeAll { $0 === operation }
        }
        operation.fail(CancellationError())
    }

    /// Refuses new operations and fails the waiting ones. Does not wait for the running ones.
    func close() {
        let refused = monitor.withLock { state in
            state.isClosed = true
            monitor.wakeAll(.work)
            monitor.wakeOne(.time)
            defer { state.queue = [] }
            return state.queue
        }
        for operation in refused {
            operation.fail(MongoError(.closed, "the MongoDB client was shut down before the operation began"))
        }
    }

    /// Waits until the threads have ended and the connections are closed. Call ``close()`` first.
    func finished() async {
        await withCheckedContinuation { continuation in
            let isFinished = monitor.withLock { state in
                if !state.isFinished { state.shutdownWaiters.append(continuation) }
                return state.isFinished
            }
            if isFinished { continuation.resume() }
        }
    }

    // MARK: - Worker threads

    private func work() {
        while let operation = next() {
            if operation.deadline <= .now {
                operation.fail(driver.deadlineError())
            } else {
                driver.withConnection(
                    deadline: operation.deadline,
                    run: { operation.execute(on: $0) },
                    otherwise: { operation.fail($0) })
            }
            monitor.withLock { _ = $0.running.removeValue(forKey: ObjectIdentifier(operation)) }
        }
        monitor.withLock { state in
            state.threadsAlive -= 1
            monitor.wakeOne(.time)
        }
    }

    private func next() -> (any PendingOperation)? {
        let (operation, depth): ((any PendingOperation)?, Int) = monitor.wait(for: .work) { state in
            if !state.queue.isEmpty {
                let operation = state.queue.removeFirst()
                state.running[ObjectIdentifier(operation)] = operation
                return .done((operation, state.queue.count))
            }
            return state.isClosed ? .done((nil, 0)) : .sleep
        }
        depthChanged(depth)
        return operation
    }

    // MARK: - The timekeeper's thread

    private func keepTime() {
        while true {
            switch nextDuty() {
            case .expire(let operations):
                let error = driver.deadlineError()
                for operation in operations { operation.fail(error) }
            case .finish:
                finish()
                return
            }
        }
    }

    private func nextDuty() -> Duty {
        monitor.wait(for: .time) { state in
            if state.isClosed, state.threadsAlive == 0 { return .done(.finish) }
            let now = ContinuousClock.now
            let late = state.queue.filter { $0.deadline <= now } + state.running.values.filter { $0.deadline <= now }
            if !late.isEmpty {
                state.queue.removeAll { $0.deadline <= now }
                state.running = state.running.filter { $0.value.deadline > now }
                state.nextLook = now
                return .done(.expire(late))
            }
            let deadlines = state.queue.map(\.deadline) + state.running.values.map(\.deadline)
            state.nextLook = deadlines.min()
            return state.nextLook.map { .sleepUntil($0) } ?? .sleep
        }
    }

    private func finish() {
        for thread in monitor.withLock({ $0.threads }) { thread.join() }
        driver.destroy()
        let waiters = monitor.withLock { state in
            state.isFinished = true
            state.threads = []
            defer { state.shutdownWaiters = [] }
            return state.shutdownWaiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
