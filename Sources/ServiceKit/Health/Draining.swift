internal import Synchronization

/// Whether a process is about to stop: it still does its work, but is to be given no more.
public final class Draining: Sendable {
    private let begun = Atomic<Bool>(false)

    /// Not yet.
    public init() {}

    /// Whether it has begun.
    public var hasBegun: Bool { begun.load(ordering: .acquiring) }

    /// Begins; there is no way back.
    public func begin() { begun.store(true, ordering: .releasing) }
}
