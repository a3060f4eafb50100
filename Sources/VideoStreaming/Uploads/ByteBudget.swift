import Domain
import Synchronization

/// Bounds the bytes that all uploads together hold in memory. First come, first served.
///
/// Room is asked for a whole block before its first byte is read, so that every block that was begun can be ended: uploads
/// that each hold half a block and wait for the other half would wait for ever.
final class ByteBudget: Sendable {
    /// Room for bytes; given back when nobody holds it any more.
    final class Reservation: Sendable {
        private let budget: ByteBudget
        private let bytes: Int

        fileprivate init(_ budget: ByteBudget, _ bytes: Int) {
            self.budget = budget
            self.bytes = bytes
        }

        deinit {
            budget.giveBack(bytes)
        }
    }

    private struct Waiter {
        var id: UInt64
        var bytes: Int
        var continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var free: Int
        var nextID: UInt64 = 0
        var waiters: [Waiter] = []
    }

    /// How many uploads may wait for room. More would wait longer than anybody wants to.
    static let maxWaiters = 256

    private let maxBytes: Int
    private let state: Mutex<State>

    /// A budget of so many bytes.
    init(maxBytes: Int) {
        self.maxBytes = max(1, maxBytes)
        state = Mutex(State(free: max(1, maxBytes)))
    }

    /// Bytes that nobody holds.
    var freeBytes: Int { state.withLock { $0.free } }

    /// Waits for room. Whoever asks for more than there is at all gets all of it.
    ///
    /// - Parameters:
    ///   - count: How many bytes.
    ///   - deadline: How long to wait.
    /// - Returns: The room.
    /// - Throws: `overloaded` when there was none in time, or too many wait already.
    func reserve(_ count: Int, deadline: Deadline) async throws(ServiceError) -> Reservation {
        let bytes = min(max(1, count), maxBytes)
        let isThere = state.withLock { state in
            guard state.waiters.isEmpty, state.free >= bytes else { return false }
            state.free -= bytes
            return true
        }
        if isThere { return Reservation(self, bytes) }
        guard await waitFor(bytes, until: deadline) else {
            throw ServiceError(.overloaded, "Too many uploads are under way; try again later.")
        }
        return Reservation(self, bytes)
    }

    private func waitFor(_ bytes: Int, until deadline: Deadline) async -> Bool {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask { await self.enqueue(id, bytes) }
            group.addTask {
                try? await Task.sleep(until: deadline.instant, clock: .continuous)
                self.cancel(id)
                return false
            }
            // Room may come at the last moment; then it is taken, or nobody would give it back.
            let isFirst = await group.next() ?? false
            group.cancelAll()
            let isSecond = await group.next() ?? false
            return isFirst || isSecond
        }
    }

    private func enqueue(_ id: UInt64, _ bytes: Int) async -> Bool {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    // Looked at under the lock: a cancellation that comes later finds the waiter in its place.
                    if Task.isCancelled || state.waiters.count >= Self.maxWaiters { return false }
                    if state.waiters.isEmpty, state.free >= bytes {
                        state.free -= bytes
                        return true
                    }
                    state.waiters.append(Waiter(id: id, bytes: bytes, continuation: continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            cancel(id)
        }
    }

    /// Ends a wait, if it has begun.
    private func cancel(_ id: UInt64) {
        let waiter: Waiter? = state.withLock { state in
            guard let place = state.waiters.firstIndex(where: { $0.id == id }) else { return nil }
            return state.waiters.remove(at: place)
        }
        waiter?.continuation.resume(returning: false)
        // Whoever stood behind it may fit now.
        serve()
    }

    private func giveBack(_ bytes: Int) {
        state.withLock { $0.free += bytes }
        serve()
    }

    private func serve() {
        let served = state.withLock { state in
            var served: [Waiter] = []
            while let first = state.waiters.first, state.free >= first.bytes {
                state.free -= first.bytes
                served.append(state.waiters.removeFirst())
            }
            return served
        }
        for waiter in served { waiter.continuation.resume(returning: true) }
    }
}
