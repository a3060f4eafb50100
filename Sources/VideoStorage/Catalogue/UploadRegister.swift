import Domain

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Which uploads there are. Every change is a single atomic update that compares the state it starts from, and durable when
/// the call returns.
///
/// Every call throws `ServiceError`: `unavailable`, `overloaded` and `deadlineExceeded` when the database does not
/// answer, `internal` when a document has a wrong shape.
protocol UploadRegister: Sendable {
    /// Enters an upload.
    ///
    /// - Returns: `nil`, or the upload that has the id already, which stays as it is.
    func enter(_ upload: Upload, deadline: Deadline) async throws(ServiceError) -> Upload?

    /// The upload of an id, or `nil`. Idempotent.
    func upload(_ id: UploadID, deadline: Deadline) async throws(ServiceError) -> Upload?

    /// Takes an upload from one of some states to another, with the content that it has then.
    ///
    /// - Returns: Whether this call did it; `false` when the upload was in another state, or is gone.
    func advance(
        _ id: UploadID, from states: [Upload.State], to state: Upload.State, content: Upload.Content?, at moment: Date,
        deadline: Deadline
    ) async throws(ServiceError) -> Bool

    /// Notes that something was done with an upload. Idempotent; one that is gone is passed over.
    ///
    /// - Parameters:
    ///   - id: Which upload.
    ///   - moment: When it was done.
    ///   - copiedBytes: How far a move has come; `nil` leaves it as it is.
    ///   - deadline: When nobody waits for it any more.
    /// - Throws: Any of the errors above.
    func touch(
        _ id: UploadID, at moment: Date, copiedBytes: Int64?, deadline: Deadline
    ) async throws(ServiceError)

    /// Uploads to one of some providers, in one of some states, that were last touched before a moment, those that were so
    /// longest first.
    func uploads(
        in states: [Upload.State], of providers: [ProviderName], touchedBefore moment: Date, limit: Int,
        deadline: Deadline
    ) async throws(ServiceError) -> [Upload]

    /// Moves that have not come to their end, some of them when there are more than that.
    func moves(limit: Int, deadline: Deadline) async throws(ServiceError) -> [Upload]

    /// Forgets an upload, provided that it is in that state. Idempotent.
    func remove(_ id: UploadID, in state: Upload.State, deadline: Deadline) async throws(ServiceError)

    /// Which of these locations of a provider belong to an upload that is known.
    func named(
        _ locations: [StorageKey], in provider: ProviderName, deadline: Deadline
    ) async throws(ServiceError) -> Set<StorageKey>
}
