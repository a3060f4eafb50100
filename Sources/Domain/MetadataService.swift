/// Which videos there are. The gateway and the operator's tool see the metadata workers through this protocol alone.
///
/// Every call throws ``ServiceError``. Errors that any of them may throw beside its own: `unavailable` (no worker, no
/// broker or no database), `overloaded`, `deadlineExceeded`, `internal` (such as a record of the wrong shape).
public protocol MetadataService: Sendable {
    /// The record of one video. Idempotent.
    ///
    /// - Throws: `notFound` when there is none, or none any more.
    func find(_ id: VideoID, deadline: Deadline) async throws(ServiceError) -> Video

    /// A page of records in the order of their ids, those after `cursor` first. Idempotent.
    ///
    /// Records that are deleted are left out, and so are those whose shape is wrong (which the service logs), so that one of
    /// them does not hide the rest.
    ///
    /// - Parameters:
    ///   - cursor: The ``VideoPage/next`` of the page before, or `nil` for the first page.
    ///   - limit: How many at the most, from 1 to ``MetadataLimits/maxPageSize``.
    ///   - deadline: When nobody waits for the page any more.
    /// - Returns: The page, and where the next one starts.
    /// - Throws: `invalidArgument` when the limit is out of bounds.
    func list(after cursor: VideoID?, limit: Int, deadline: Deadline) async throws(ServiceError) -> VideoPage

    /// Makes a record, durable when the call returns.
    ///
    /// Not idempotent unless the id is given: then a repetition with equal facts returns the record that is there.
    ///
    /// - Throws: `conflict` when the id is taken by a record with other facts or was a deleted one's, `invalidArgument`
    ///   when a fact is not acceptable.
    func create(_ video: NewVideo, deadline: Deadline) async throws(ServiceError) -> Video

    /// Changes a record, durable when the call returns, and tells it as `metadata.video.updated`.
    ///
    /// Idempotent by its command: a repetition is answered as the first time, also after others have changed the record
    /// (as long as it is among the last ``MetadataLimits/maxRememberedCommands`` of that record).
    ///
    /// - Parameters:
    ///   - id: Which record.
    ///   - change: What to change.
    ///   - revision: The revision that the record must have; `nil` for any.
    ///   - command: Names this change.
    ///   - deadline: When nobody waits for the answer any more.
    /// - Returns: The record after the change.
    /// - Throws: `notFound`; `conflict` when the record has another revision; `invalidArgument` when a field is not
    ///   acceptable.
    func update(
        _ id: VideoID, _ change: VideoChange, revision: Int64?, command: CommandID, deadline: Deadline
    ) async throws(ServiceError) -> Video

    /// Deletes a video, durable when the call returns: nobody finds it any more. Tells it as `metadata.video.deleted`, and
    /// storage deletes its bytes when it hears that, unless another video plays them.
    ///
    /// Idempotent by its command, as ``update(_:_:revision:command:deadline:)`` is.
    ///
    /// - Throws: `notFound`, also when another command has deleted it; `conflict` when the record has another revision.
    func delete(
        _ id: VideoID, revision: Int64?, command: CommandID, deadline: Deadline
    ) async throws(ServiceError)

    /// Takes note that the bytes of videos were uploaded: those that play this object are ready now.
    ///
    /// Idempotent, and monotone by ``VideoContent/committedAt``: what is told late changes nothing. For a video that was
    /// deleted meanwhile `metadata.video.deleted` is told once more, so that its bytes do not stay behind.
    ///
    /// - Returns: The records that play the object, as they are now; none when there are none any more. At most
    ///   ``MetadataLimits/maxPageSize``.
    func contentCommitted(_ content: CommittedContent, deadline: Deadline) async throws(ServiceError) -> [Video]
}

/// The limits of the metadata service.
public enum MetadataLimits {
    /// A page of this many records with the longest fields stays below 4 MiB.
    public static let maxPageSize = 200
    /// How many commands a record remembers. They are remembered for repetitions that come within seconds; between the
    /// first and the last of them, others rarely change one record more often.
    public static let maxRememberedCommands = 8
    /// What a caller gets who does not say.
    public static let defaultPageSize = 50
}
