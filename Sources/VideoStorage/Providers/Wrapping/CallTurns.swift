import DequeModule
import Domain
import Synchronization

/// Turns at something of which there is a limited number: who comes first is served first.
final class CallTurns: Sendable {
    /// What a wait came to.
    private enum Outcome: Sendable {
        case granted
        case refused
        case late
    }

    private struct State {
        var free: Int
        var nextNumber = 0
        /// Numbers of those who wait, in order; one that has given up is not in `waiting` any more.
        var order: Deque<Int> = []
        var waiting: [Int: CheckedContinuation<Outcome, Never>] = [:]
    }

    private let maxWaiting: Int
    private let state: Mutex<State>

    /// Makes turns.
    ///
    /// - Parameters:
    ///   - maxCalls: How many at once.
    ///   - maxWaiting: How many may wait.
    init(maxCalls: Int, maxWaiting: Int) {
        self.maxWaiting = max(0, maxWaiting)
        state = Mutex(State(free: max(1, maxCalls)))
    }

    /// Waits for a turn. Each turn that was taken has to be given back.
    ///
    /// - Throws: `overloaded` when too many wait, `deadlineExceeded` when the deadline comes first or the task is cancelled.
    func take(deadline: Deadline) async throws(ServiceError) {
        let isFree = state.withLock { state in
            guard state.free > 0 else { return false }
            state.free -= 1
            return true
        }
        if isFree { return }
        switch await wait(deadline: deadline) {
        case .granted: return
        case .refused:
            throw ServiceError(.overloaded, "Too many requests wait for the storage provider; try later.")
        case .late:
            throw ServiceError(.deadlineExceeded, "The storage provider had too much to do to answer in time.")
        }
    }

    /// Gives a turn back; who has waited longest gets it.
    func giveBack() {
        let next: CheckedContinuation<Outcome, Never>? = state.withLock { state in
            while let number = state.order.popFirst() {
                if let continuation = state.waiting.removeValue(forKey: number) { return continuation }
            }
            state.free += 1
            return nil
        }
        next?.resume(returning: .granted)
    }

    private func wait(deadline: Deadline) async -> Outcome {
        let number = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        return await withTaskGroup(of: Outcome.self) { group in
            group.addTask { await self.enqueue(number) }
            group.addTask {
                try? await Task.sleep(until: deadline.instant)
                self.giveUp(number)
                return .late
            }
            // Whichever is first ends the other; the wait itself says what it came to.
            var outcome = Outcome.late
            let first = await group.next()
            group.cancelAll()
            if let first, first != .late { outcome = first }
            while let other = await group.next() {
                if other != .late { outcome = other }
            }
            return outcome
        }
    }

    private func enqueue(_ number: Int) async -> Outcome {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let outcome: Outcome? = state.withLock { state in
                    // Cancelled before it could wait: the handler below has found nothing to end.
                    if Task.isCancelled { return .late }
                    if state.free > 0 {
                        state.free -= 1
                        return .granted
                    }
                    guard state.waiting.count < maxWaiting else { return .refused }
                    state.order.append(number)
                    state.waiting[number] = continuation
                    return nil
                }
                if let outcome { continuation.resume(returning: outcome) }
            }
        } onCancel: {
            giveUp(number)
        }
    }

    private func giveUp(_ number: Int) {
        let continuation = state.withLock { $0.waiting.removeValue(forKey: number) }
        continuation?.resume(returning: .late)
    }
}
