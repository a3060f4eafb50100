import Domain
import Foundation
import RPC
import Synchronization

@testable import VideoStorage

/// A catalogue without a database, with switches for what can go wrong.
final class InMemoryCatalogue: Catalogue {
    private struct State {
        var entries: [StorageKey: CatalogueEntry] = [:]
        var events: [Event] = []
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
    /// The events that were noted, in their order.
    var events: [Event] { state.withLock { $0.events } }

    func setDown(_ isDown: Bool) {
        state.withLock { $0.isDown = isDown }
    }

    /// Writes an entry as another worker would.
    func overwrite(_ entry: CatalogueEntry) {
        state.withLock { $0.entries[entry.key] = entry }
    }

    /// Tells and takes out all events, as the outbox does.
    func tellEvents() {
        state.withLock { $0.events = [] }
    }

    func entry(for key: StorageKey, deadline: Deadline) async throws(ServiceError) -> CatalogueEntry? {
        try access { state in
            state.lookups += 1
            return state.entries[key]
        }
    }

    func put(
        _ entry: CatalogueEntry, replacing seen: CatalogueEntry?, noting notes: CatalogueNotes, deadline: Deadline
    ) async throws(ServiceError) -> CatalogueChange {
        let change: CatalogueChange? = try access { state in
            let present = state.entries[entry.key]
            switch (present, seen) {
            case (nil, nil): break
            case (nil, .some): return nil
            case (.some(let present), nil): return .found(present)
            case (.some(let present), .some(let seen)):
                guard present.isSame(as: seen) else { return .found(present) }
            }
            state.puts += 1
            var stored = entry
            stored.retired = (present?.retired ?? []) + (notes.retired.map { [$0] } ?? [])
            state.entries[entry.key] = stored
            if let event = notes.event { state.events.append(event) }
            return .put
        }
        guard let change else { throw ServiceError(.conflict, "It was removed meanwhile.") }
        return change
    }

    func entries(after key: StorageKey?, limit: Int, deadline: Deadline) async throws(ServiceError) -> CataloguePage {
        try access { state in
            let sorted = state.entries.values.sorted { Self.precedes($0.key, $1.key) }
            let rest = sorted.filter { entry in key.map { Self.precedes($0, entry.key) } ?? true }
            let page = Array(rest.prefix(limit))
            return CataloguePage(entries: page, next: page.count == limit ? page.last?.key : nil)
        }
    }

    func entriesToClear(
        retiredBefore moment: Date, in providers: [ProviderName], limit: Int, deadline: Deadline
    ) async throws(ServiceError) -> [CatalogueEntry] {
        try access { state in
            let sorted = state.entries.values.sorted { Self.precedes($0.key, $1.key) }
            let old = sorted.filter { $0.retired.contains { $0.since < moment && providers.contains($0.provider) } }
            let deleted = sorted.filter { $0.state == .deleted && $0.retired.isEmpty }
            return Array(old.prefix(limit) + deleted.prefix(limit))
        }
    }

    func forget(_ blob: RetiredBlob, of key: StorageKey, deadline: Deadline) async throws(ServiceError) {
        try access { state -> Void in
            state.entries[key]?.retired.removeAll { $0 == blob }
        }
    }

    func removeDeleted(_ entry: CatalogueEntry, deadline: Deadline) async throws(ServiceError) -> Bool {
        try access { state in
            guard let present = state.entries[entry.key], present.isSame(as: entry), present.state == .deleted,
                present.retired.isEmpty, state.events.isEmpty
            else { return false }
            state.entries[entry.key] = nil
            return true
        }
    }

    func named(
        _ locations: [StorageKey], in provider: ProviderName, includingRetired: Bool, deadline: Deadline
    ) async throws(ServiceError) -> Set<StorageKey> {
        try access { state in
            var named: Set<StorageKey> = []
            for entry in state.entries.values {
                if entry.provider == provider, entry.state == .committed { named.insert(entry.location) }
                guard includingRetired else { continue }
                named.formUnion(entry.retired.filter { $0.provider == provider }.map(\.location))
            }
            return named.intersection(locations)
        }
    }

    private static func precedes(_ left: StorageKey, _ right: StorageKey) -> Bool {
        left.description.utf8.lexicographicallyPrecedes(right.description.utf8)
    }

    private func access<Value: Sendable>(_ body: (inout State) -> sending Value) throws(ServiceError) -> Value {
        let value: Value? = state.withLock { $0.isDown ? nil : body(&$0) }
        guard let value else { throw ServiceError(.unavailable, "The database does not answer; try later.") }
        return value
    }
}
