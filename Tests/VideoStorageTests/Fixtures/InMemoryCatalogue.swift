import Domain
import Synchronization

@testable import VideoStorage

/// A catalogue without a database, with switches for what can go wrong.
final class InMemoryCatalogue: Catalogue {
    private struct State {
        var entries: [StorageKey: CatalogueEntry] = [:]
        var isDown = false
        var lookups = 0
        var puts = 0
    }

    private let state = Mutex(State())

    /// How many questions were asked.
    var lookups: Int { state.withLock { $0.lookups } }
    /// How many entries were put, by whomever.
    var puts: Int { state.withLock { $0.puts } }
    var entries: [StorageKey: CatalogueEntry] { state.withLock { $0.entries } }

    func setDown(_ isDown: Bool) {
        state.withLock { $0.isDown = isDown }
    }

    /// Writes an entry as another worker would.
    func overwrite(_ entry: CatalogueEntry) {
        state.withLock { $0.entries[entry.key] = entry }
    }

    func entry(for key: StorageKey, deadline: Deadline) async throws(ServiceError) -> CatalogueEntry? {
        try access { state in
            state.lookups += 1
            return state.entries[key]
        }
    }

    func put(
        _ entry: CatalogueEntry,
        replacing version: ObjectVersion?,
        deadline: Deadline
    ) async throws(ServiceError) -> CatalogueChange {
        try access { state in
            if let present = state.entries[entry.key], present.version != version { return .found(present) }
            state.puts += 1
            state.entries[entry.key] = entry
            return .put
        }
    }

    private func access<Value: Sendable>(_ body: (inout State) -> sending Value) throws(ServiceError) -> Value {
        let value: Value? = state.withLock { $0.isDown ? nil : body(&$0) }
        guard let value else { throw ServiceError(.unavailable, "The database does not answer; try later.") }
        return value
    }
}
