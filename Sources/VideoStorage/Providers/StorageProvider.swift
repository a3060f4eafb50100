import Domain
import NIOCore

/// A place that keeps blobs: a directory, a cloud container, a database. This is the contract of all of them; one
/// conformance suite holds every provider to it.
///
/// A provider knows nothing of versions, records or viewers. It keeps *blobs*, each under a *location*, and tells the
/// states of a blob apart by a *validator* of its own. The catalogue says which blob belongs to which object.
///
/// **Locations.** A location has the form of a ``Domain/StorageKey``, so it cannot lead out of the provider's root by its
/// text. A provider also refuses whatever leads out in another way (a symbolic link, say), *before* it has read or
/// written a byte, with `invalidArgument` and a warning in the log, and so it refuses the few names that it keeps for
/// itself. Locations are compared byte by byte: two Unicode spellings of one name are two locations.
///
/// **The life of a blob.** ``begin(_:contentType:deadline:)`` opens an upload, ``stage(_:at:index:bytes:deadline:)`` keeps its
/// blocks in any order, side by side and from any process, ``commit(_:at:blocks:contentType:deadline:)`` makes them the blob.
/// Until then no call but ``uploads(after:limit:deadline:)`` shows anything of it. A location is for one upload: nothing
/// is ever written over a blob, so one that is read stays what it is until it is deleted.
///
/// **Atomicity.** A call sees one state of a blob, and a blob is there whole or not at all. A blob that changes while it is
/// read (by other means than these calls) gives an error and never bytes of two states. Nothing holds between two calls:
/// what stands between ``stat(_:deadline:)`` and ``read(_:range:validator:deadline:)`` is the validator, not a lock.
///
/// **Durability.** What a call has done when it returns survives the end of this process and of its machine, as far as
/// what lies beneath keeps its promises (a disk that flushes, a service that is durable, a write concern).
///
/// **Idempotence.** Every call may be repeated, side by side and in any order, by any number of processes; a repetition
/// has the same result, except that a repeated `begin` may open a second upload, which is for the collector. A call that
/// failed may have been carried out or not; repeating it is always safe.
///
/// **Errors.** Every call throws `ServiceError`, of these kinds:
/// - `notFound`: there is no blob (or, for `stage` and `commit`, no upload) at the location, or what is there can hold no
///   bytes (a directory, a device). The message names the location.
/// - `conflict`: the blob is not, or is no longer, in the state that the validator names; for `commit`, there is a blob
///   at the location already and it has another size.
/// - `corrupt`: the provider promises more bytes than it delivers, or they do not match their checksum.
/// - `invalidArgument`: the location leads out of the root, the range begins past the end, an index or a size is out of
///   bounds, blocks are missing or not as they were staged.
/// - `tooLarge`: over one of the ``limits``.
/// - `overloaded`: a limit of this process (threads, descriptors, connections) or of the service is reached; try later.
/// - `unavailable`: the provider as a whole does not answer, or has no room left; try later.
/// - `deadlineExceeded`: the deadline came first, or the calling task was cancelled.
/// - `internal`: anything else, such as a missing permission; the details are in the log.
///
/// A provider does not retry: that is decided in one place, by what wraps it.
///
/// **Cancellation.** A cancelled call ends with an error as soon as the provider can leave what it is in. A system call
/// that blocks cannot be left, so the caller may have to wait for that one. Nothing needs to be cleaned up after a read; a
/// write that was cancelled may have been carried out or not.
///
/// **Limits.** The caller bounds how many calls it makes at a time; a provider bounds the threads, descriptors and
/// connections that it uses for them, and answers `overloaded` rather than queueing without end.
protocol StorageProvider: Sendable {
    /// The name under which catalogue entries refer to this provider. It never changes once objects have been entered.
    var name: ProviderName { get }

    /// How uploads have to be cut, and how large they may be. Constant.
    var limits: ProviderLimits { get }

    // MARK: - Reading

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
    ///     memory that a call takes. An empty blob has none: each range begins past its end.
    ///   - validator: The state they must belong to, as ``stat(_:deadline:)`` gave it.
    ///   - deadline: When nobody waits for the bytes any more.
    /// - Returns: The bytes, and their checksum where they were checked by one.
    /// - Throws: Any of the errors above.
    func read(
        _ location: StorageKey,
        range: ByteRange,
        validator: BlobValidator,
        deadline: Deadline
    ) async throws(ServiceError) -> BlobBytes

    // MARK: - Writing

    /// Opens an upload to a location.
    ///
    /// - Parameters:
    ///   - location: Where the blob will be: one that no other upload has, or had.
    ///   - contentType: The media type; kept with the blob where the provider keeps one.
    ///   - deadline: When nobody waits for it any more.
    /// - Returns: What the provider calls the upload. The caller keeps it and hands it to the calls below.
    /// - Throws: `conflict` when there is a blob at the location and the provider can tell now; any of the errors above.
    func begin(
        _ location: StorageKey,
        contentType: String?,
        deadline: Deadline
    ) async throws(ServiceError) -> UploadHandle

    /// Keeps one block of an upload, durably.
    ///
    /// A repetition with the same bytes changes nothing. With other bytes it is a `conflict`, or what the index stands for is
    /// from then on one of the two, and the receipt of the other is refused by the commit.
    ///
    /// - Parameters:
    ///   - handle: What ``begin(_:contentType:deadline:)`` gave.
    ///   - location: The location of the upload.
    ///   - index: Which block, from 0 to ``ProviderLimits/maxBlocks`` − 1.
    ///   - bytes: From 1 to ``ProviderLimits/blockBytes`` bytes; every block but the last must have that many.
    ///   - deadline: When nobody waits for it any more.
    /// - Returns: The receipt that the commit has to name: at most 128 printable ASCII characters, perhaps none.
    /// - Throws: `notFound` when the upload is over or was never begun. A provider without uploads of its own (Azure) cannot tell,
    ///   and keeps the block for its own collection. Any of the errors above.
    func stage(
        _ handle: UploadHandle,
        at location: StorageKey,
        index: Int,
        bytes: ByteBuffer,
        deadline: Deadline
    ) async throws(ServiceError) -> String

    /// Makes staged blocks the blob at the location, in one step: everyone sees nothing before and all of it after.
    ///
    /// When the blob is there already and has the size of the blocks, its facts are returned: a commit that is repeated, or
    /// made by two workers at once, succeeds every time. Blocks that were staged but are not named are dropped.
    ///
    /// - Parameters:
    ///   - handle: What ``begin(_:contentType:deadline:)`` gave.
    ///   - location: The location of the upload.
    ///   - blocks: All blocks in order, from index 0 without a gap, with their sizes and receipts; none for an empty blob.
    ///   - contentType: The media type, the same as at the beginning.
    ///   - deadline: When nobody waits for it any more.
    /// - Returns: The facts of the blob, as ``stat(_:deadline:)`` gives them from now on.
    /// - Throws: `invalidArgument` when a block was not staged or is not as it was, `conflict` when a blob of another size is there,
    ///   `notFound` when there is neither upload nor blob; any of the errors above.
    func commit(
        _ handle: UploadHandle,
        at location: StorageKey,
        blocks: [StagedBlock],
        contentType: String?,
        deadline: Deadline
    ) async throws(ServiceError) -> BlobFacts

    /// Gives an upload up and drops its blocks. One that is not there is left as it is, and so is a blob that was committed.
    func abort(_ handle: UploadHandle, at location: StorageKey, deadline: Deadline) async throws(ServiceError)

    /// Removes the blob at a location; one that is not there is no error. Reads of it that are under way may still end well.
    func delete(_ location: StorageKey, deadline: Deadline) async throws(ServiceError)

    // MARK: - Finding

    /// A page of the blobs that there are, in ascending order of their locations' bytes.
    ///
    /// A blob that is there from the first page to the last is given exactly once. One that is put or removed meanwhile may be
    /// given or not. A page may be short, or even empty, and still not be the last: only ``BlobPage/next`` tells. What has
    /// no ``Domain/StorageKey`` for a name, or is the provider's own, is left out.
    ///
    /// - Parameters:
    ///   - cursor: The ``BlobPage/next`` of the page before, `nil` for the first.
    ///   - limit: How many at the most, from 1 to ``ProviderLimits/maxPageSize``.
    ///   - deadline: When nobody waits for it any more.
    /// - Returns: The page, and where the next one begins.
    /// - Throws: `invalidArgument` for a limit out of bounds; any of the errors above.
    func list(after cursor: PageCursor?, limit: Int, deadline: Deadline) async throws(ServiceError) -> BlobPage

    /// A page of the uploads that were begun and are neither committed nor aborted, for whoever collects them.
    ///
    /// In no particular order; otherwise as ``list(after:limit:deadline:)``. An upload without any block may be missing.
    func uploads(
        after cursor: PageCursor?, limit: Int, deadline: Deadline
    ) async throws(ServiceError) -> BegunUploadPage
}
