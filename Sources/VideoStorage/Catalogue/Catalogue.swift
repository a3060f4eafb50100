import Domain

/// Which objects there are, and where. One entry a key; every change of an entry is a single atomic update, and durable
/// when the call returns.
///
/// Every call throws `ServiceError`: `unavailable`, `overloaded` and `deadlineExceeded` when the database does not
/// answer, `internal` when an entry has a wrong shape.
protocol Catalogue: Sendable {
    /// The entry of a key, or `nil` when there is none. Idempotent.
    func entry(for key: StorageKey, deadline: Deadline) async throws(ServiceError) -> CatalogueEntry?

    /// Enters an object, or its new version, provided that nobody else has changed the entry meanwhile.
    ///
    /// Idempotent: of callers that put the same entry at the same time one is told that it did, the others find it there.
    ///
    /// - Parameters:
    ///   - entry: What shall be known of the key from now on.
    ///   - version: The version that the caller saw there, `nil` when it saw no entry.
    ///   - deadline: When nobody waits for it any more. The entry may have been put even when the call has failed.
    /// - Returns: Whether this call put it, or what the catalogue says instead.
    /// - Throws: Any of the errors above.
    func put(
        _ entry: CatalogueEntry,
        replacing version: ObjectVersion?,
        deadline: Deadline
    ) async throws(ServiceError) -> CatalogueChange
}
