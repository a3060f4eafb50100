/// Which videos there are. The gateway and the operator's tool see the metadata workers through this protocol alone.
///
/// Every call throws ``ServiceError``. Errors that any of them may throw beside its own: `unavailable` (no worker, no
/// broker or no database), `overloaded`, `deadlineExceeded`, `internal` (such as a record of the wrong shape).
public protocol MetadataService: Sendable {
    /// The record of one video. Idempotent.
    ///
    /// - Throws: `notFound` when there is none.
    func find(_ id: VideoID, deadline: Deadline) async throws(ServiceError) -> Video

    /// A page of records in the order of their ids, those after `cursor` first. Idempotent.
    ///
    /// Records whose shape is wrong are left out (and logged by the service), so that one of them does not hide the rest.
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
    /// - Throws: `conflict` when the id is taken by a record with other facts, `invalidArgument` when a fact is not
    ///   acceptable.
    func create(_ video: NewVideo, deadline: Deadline) async throws(ServiceError) -> Video
}

/// The limits of the metadata service.
public enum MetadataLimits {
    /// A page of this many records with the longest fields stays below 4 MiB.
    public static let maxPageSize = 200
    /// What a caller gets who does not say.
    public static let defaultPageSize = 50
}
