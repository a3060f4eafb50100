import Domain
import RPC

/// Says that an event has been written into the outbox, so that it is told at once and not only by the next sweep.
struct OutboxTeller: Sendable {
    private let tellNow: @Sendable (PendingEvent) -> Void

    /// Hands events on.
    init(_ tellNow: @escaping @Sendable (PendingEvent) -> Void) {
        self.tellNow = tellNow
    }

    /// Leaves it all to the sweep.
    static let none = OutboxTeller { _ in }

    /// Says that an event is kept in the entry of a key. Does not wait.
    func tell(_ event: Event, of key: StorageKey) {
        tellNow(PendingEvent(event, holder: key.description))
    }
}
