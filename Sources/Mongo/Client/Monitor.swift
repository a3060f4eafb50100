#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// State behind a POSIX mutex, with two conditions to wait for: what `Mutex` of the Synchronization module lacks.
///
/// For threads of the module's own. Code on the cooperative pool only uses ``withLock(_:)``, which is held for moments.
final class Monitor<State>: @unchecked Sendable {
    // Unchecked: the state is only touched with the mutex held, and the pointers never change.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let conditions = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: Condition.allCases.count)
    private let state = UnsafeMutablePointer<State>.allocate(capacity: 1)

    enum Condition: Int, CaseIterable {
        /// There may be something to do for a worker.
        case work
        /// There may be something to do for the timekeeper.
        case time
    }

    /// What an attempt under ``wait(for:_:)`` came to.
    enum Attempt<Result> {
        case done(Result)
        case sleep
        case sleepUntil(ContinuousClock.Instant)
    }

    init(_ initial: State) {
        state.initialize(to: initial)
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // Not the wall clock, which may be set while a thread waits.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        for condition in Condition.allCases {
            pthread_cond_init(conditions + condition.rawValue, &attributes)
        }
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        for condition in Condition.allCases {
            pthread_cond_destroy(conditions + condition.rawValue)
        }
        pthread_mutex_destroy(mutex)
        state.deinitialize(count: 1)
        state.deallocate()
        conditions.deallocate()
        mutex.deallocate()
    }

    func withLock<Result>(_ body: (inout State) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&state.pointee)
    }

    /// Tries until an attempt is done, and sleeps on the condition in between. Blocks the thread.
    func wait<Result>(for condition: Condition, _ attempt: (inout State) -> Attempt<Result>) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            switch attempt(&state.pointee) {
            case .done(let result): return result
            case .sleep: pthread_cond_wait(conditions + condition.rawValue, mutex)
            case .sleepUntil(let instant):
                var time = Self.monotonicTime(of: instant)
                pthread_cond_timedwait(conditions + condition.rawValue, mutex, &time)
            }
        }
    }

    func wakeOne(_ condition: Condition) {
        pthread_cond_signal(conditions + condition.rawValue)
    }

    func wakeAll(_ condition: Condition) {
        pthread_cond_broadcast(conditions + condition.rawValue)
    }

    private static func monotonicTime(of instant: ContinuousClock.Instant) -> timespec {
        // An hour at most, so that no instant overflows; whoever sleeps looks again then.
        let remaining = min(max(ContinuousClock.now.duration(to: instant), .zero), .seconds(3600)).components
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        time.tv_sec += Int(remaining.seconds)
        time.tv_nsec += Int(remaining.attoseconds / 1_000_000_000)
        if time.tv_nsec >= 1_000_000_000 {
            time.tv_sec += 1
            time.tv_nsec -= 1_000_000_000
        }
        return time
    }
}
