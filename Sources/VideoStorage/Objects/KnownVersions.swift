import Domain
import Synchronization

/// The catalogue entries that this worker has seen, so that a chunk needs no question to the database.
///
/// The bytes of a version never change, which is what makes this right without any invalidation. Where they are may
/// change (a migration); the caller forgets an entry when the provider contradicts it.
final class KnownVersions: Sendable {
    /// An object that is being watched needs one entry. 10,000 with keys of usual length take about 5 MB, with the
    /// longest keys about 25 MB.
    static let defaultMaxEntries = 10_000

    private struct Name: Hashable {
        let key: StorageKey
        let version: ObjectVersion
    }

    private let entries: Mutex<LeastRecentlyUsed<Name, CatalogueEntry>>

    /// Makes an empty memory.
    ///
    /// - Parameter maxEntries: How many entries are kept; beyond it, the one that was not used for longest goes.
    init(maxEntries: Int = defaultMaxEntries) {
        entries = Mutex(LeastRecentlyUsed(maxCount: maxEntries))
    }

    /// How many entries are kept now.
    var count: Int { entries.withLock { $0.count } }

    /// The entry of a version, when it is known.
    func entry(of key: StorageKey, version: ObjectVersion) -> CatalogueEntry? {
        entries.withLock { $0.value(for: Name(key: key, version: version)) }
    }

    /// Keeps an entry under its own key and version.
    func remember(_ entry: CatalogueEntry) {
        var kept = entry
        kept.retired = []
        entries.withLock { $0.insert(kept, for: Name(key: kept.key, version: kept.version)) }
    }

    /// Drops the entry of a version, when it is known.
    func forget(_ key: StorageKey, version: ObjectVersion) {
        entries.withLock { $0.remove(Name(key: key, version: version)) }
    }
}
