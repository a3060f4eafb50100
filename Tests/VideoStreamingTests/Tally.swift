import Synchronization

/// Counts across tasks.
final class Tally: Sendable {
    private let value = Mutex(0)

    /// How often ``up()`` was called.
    var count: Int { value.withLock { $0 } }

    /// Counts one, and says how many it has counted with this one.
    @discardableResult
    func up() -> Int {
        value.withLock {
            $0 += 1
            return $0
        }
    }
}
