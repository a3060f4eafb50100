import Domain
import NIOCore

/// A place that keeps blobs: a directory, a cloud container, a database. This is the contract of all of them; one
/// conformance suite holds every provider to it.
///
/// A provider knows nothing of versions, records or viewers. It keeps *blobs*, each under a *location*, and tells the
/// states of a blob apart by a *validator* of its own. The catalogue says which blob belongs to which object.
///
/// **Locations.** A location has the form of a ``Domain/StorageKey``, so it cannot lead out of the provider's root by its
/// text. A provider also refuses whatever leads out in another way (a symbolic link, say), *before* it has read a
/// byte, with `invalidArgument` and a warning in the log. Locations are compared byte by byte: two Unicode
/// spellings of one name are two locations.
///
/// **Atomicity.** A call sees one state of a blob. A blob that changes while it is read gives an error and never bytes
/// of two states. Nothing holds between two calls: what stands between ``stat(_:deadline:)`` and
/// ``read(_:range:validator:deadline:)`` is the validator, not a lock.
///
/// **Idempotence.** Both calls change nothing and may be repeated, side by side and in any order, by any number of
/// processes.
///
/// **Errors.** Every call throws `ServiceError`, of these kinds:
/// - `notFound`: there is no blob at the location, or what is there can hold no bytes (a directory, a device). The
///   message names the location.
/// - `conflict`: the blob is not, or is no longer, in the state that the validator names.
/// - `corrupt`: the provider promises more bytes than it delivers, and says that the blob has not changed.
/// - `invalidArgument`: the location leads out of the root, or the range begins past the end.
/// - `overloaded`: a limit of this process (threads, descriptors) is reached; try later.
/// - `unavailable`: the provider as a whole does not answer; try later.
/// - `deadlineExceeded`: the deadline came first, or the calling task was cancelled.
/// - `internal`: anything else, such as a missing permission; the details are in the log.
///
/// A provider does not retry: that is the caller's decision, and is made in one place.
///
/// **Cancellation.** A cancelled call ends with an error as soon as the provider can leave what it is in. A system call
/// that blocks cannot be left, so the caller may have to wait for that one. Nothing needs to be cleaned up after.
///
/// **Limits.** The caller bounds how many calls it makes at a time; a provider bounds the threads, descriptors and
/// connections that it uses for them, and answers `overloaded` rather than queueing without end.
protocol StorageProvider: Sendable {
    /// The name under which catalogue entries refer to this provider. It never changes once objects have been entered.
    var name: ProviderName { get }

    /// The facts of the blob at a location, without reading its bytes.
    ///
    /// The facts belong together: they describe one state of the blob, the one that the validator names.
    func stat(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) -> BlobFacts

    /// The bytes of a range of one state of a blob.
    ///
    /// The answer holds exactly the bytes of the range, except that a range which reaches past the end gets those up to
    /// the end. It is never shorter for any other reason: an interrupted read goes on, one that cannot go on fails.
    ///
    /// - Parameters:
    ///   - location: Where the blob is.
    ///   - range: Which bytes; at most ``Domain/StorageLimits/chunkBytesRange``'s upper bound of them, which bounds the
    ///     memory that a call takes.
    ///   - validator: The state they must belong to, as ``stat(_:deadline:)`` gave it.
    ///   - deadline: When nobody waits for the bytes any more.
    /// - Returns: The bytes, in memory that was allocated for them alone.
    /// - Throws: Any of the errors above.
    func read(
        _ location: StorageKey,
        range: ByteRange,
        validator: BlobValidator,
        deadline: Deadline
    ) async throws(ServiceError) -> ByteBuffer
}
