import Domain

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Which objects there are, and where. One entry a key; every change of an entry is a single atomic update, and durable
/// when the call returns.
///
/// Every call throws `ServiceError`: `unavailable`, `overloaded` and `deadlineExceeded` when the database does not
/// answer, `internal` when an entry has a wrong shape.
protocol Catalogue: Sendable {
    /// The entry of a key, or `nil` when there is none. Idempotent. A deleted object may still have an entry, which says so.
    func entry(for key: StorageKey, deadline: Deadline) async throws(ServiceError) -> CatalogueEntry?

    /// Enters an object, its new version, its new place or its end, provided that nobody else has changed the entry
    /// meanwhile. A blob that is left behind and an event that tells of the change are noted in the same update.
    ///
    /// Of callers that put the same entry at the same time one is told that it did, the others find it there.
    ///
    /// - Parameters:
    ///   - entry: What shall be known of the key from now on; its retired blobs are not written.
    ///   - seen: What the caller saw there, `nil` when it saw no entry. Version, state, provider and location are compared.
    ///   - notes: What is written with it.
    ///   - deadline: When nobody waits for it any more. The entry may have been put even when the call has failed.
    /// - Returns: Whether this call put it, or what the catalogue says instead.
    /// - Throws: Any of the errors above; `conflict` when the entry that was seen has been removed.
    func put(
        _ entry: CatalogueEntry, replacing seen: CatalogueEntry?, noting notes: CatalogueNotes, deadline: Deadline
    ) async throws(ServiceError) -> CatalogueChange

    /// Entries in the byte order of their keys, those of deleted objects included. Idempotent.
    ///
    /// - Parameters:
    ///   - key: The last key of the page before, `nil` for the first page.
    ///   - limit: How many at the most.
    ///   - deadline: When nobody waits for them any more.
    /// - Returns: The entries, and where the next page begins. One of a wrong shape is left out, and has been logged.
    /// - Throws: Any of the errors above.
    func entries(
        after key: StorageKey?, limit: Int, deadline: Deadline
    ) async throws(ServiceError) -> CataloguePage

    /// Entries, in no particular order, that have blobs in one of some providers which were retired before a moment, or that are
    /// of deleted objects and have no retired blob any more.
    func entriesToClear(
        retiredBefore moment: Date, in providers: [ProviderName], limit: Int, deadline: Deadline
    ) async throws(ServiceError) -> [CatalogueEntry]

    /// Forgets a retired blob. Idempotent.
    func forget(_ blob: RetiredBlob, of key: StorageKey, deadline: Deadline) async throws(ServiceError)

    /// Removes the entry of a deleted object that has nothing more to tell and no retired blob. Idempotent; an entry that
    /// is not like that stays.
    ///
    /// - Returns: Whether it was removed.
    @discardableResult
    func removeDeleted(_ entry: CatalogueEntry, deadline: Deadline) async throws(ServiceError) -> Bool

    /// Which of these locations of a provider are the place of an object, now or until its retired blob is deleted.
    ///
    /// - Parameters:
    ///   - locations: Where to look.
    ///   - provider: In which provider.
    ///   - includingRetired: Whether the places of retired blobs count.
    ///   - deadline: When nobody waits for the answer any more.
    /// - Returns: Those of the locations that are named.
    /// - Throws: Any of the errors above.
    func named(
        _ locations: [StorageKey], in provider: ProviderName, includingRetired: Bool, deadline: Deadline
    ) async throws(ServiceError) -> Set<StorageKey>
}

/// A page of the catalogue.
struct CataloguePage: Sendable, Equatable {
    /// In the byte order of their keys.
    var entries: [CatalogueEntry]
    /// Where the next page begins after; `nil` at the end.
    var next: StorageKey?
}

extension Catalogue {
    /// Enters an object or a change of it, with nothing noted beside it.
    func put(
        _ entry: CatalogueEntry, replacing seen: CatalogueEntry?, deadline: Deadline
    ) async throws(ServiceError) -> CatalogueChange {
        try await put(entry, replacing: seen, noting: .none, deadline: deadline)
    }
}
