public import Domain
public import RPC

/// What the metadata service tells, and where it listens.
public enum MetadataEvents {
    /// ``VideoUpdated``
    public static let videoUpdated = "metadata.video.updated"
    /// ``VideoDeleted``. The storage service needs it: it deletes the object.
    public static let videoDeleted = "metadata.video.deleted"

    /// The events that nobody needs to want (``RPC/OutboxPublisher``).
    public static let optional: Set<String> = [videoUpdated]

    /// The queue in which the metadata service receives events of others; its workers share it.
    public static let queue = "millrace.metadata.events"
    /// Which events it receives.
    public static let patterns = [StorageEvents.objectCommitted]
}

/// The record of a video has changed: what is remembered of it is out of date.
public struct VideoUpdated: Sendable, Equatable {
    /// Which video.
    public var id: VideoID

    /// Makes the fact.
    public init(id: VideoID) {
        self.id = id
    }

    /// The event that tells it.
    ///
    /// - Parameter revision: The revision that the change made.
    /// - Returns: The event; its id is the same whoever makes it.
    /// - Throws: `internal` when it cannot be written.
    public func event(revision: Int64) throws(ServiceError) -> Event {
        Event(
            id: "\(MetadataEvents.videoUpdated)/\(id)/\(revision)", name: MetadataEvents.videoUpdated,
            payload: try .json(VideoUpdatedPayload(id: id)))
    }

    /// Reads an event.
    ///
    /// - Throws: `invalidArgument` that names the member.
    public init(_ event: Event) throws(ServiceError) {
        self.init(id: try event.payload.decode(VideoUpdatedPayload.self, orThrow: .invalidArgument).id)
    }
}

/// A video has been deleted. Told again when its object is written once more later on.
public struct VideoDeleted: Sendable, Equatable {
    /// Which video.
    public var id: VideoID
    /// The storage key of its bytes, as the record had it. It is checked where it is used, since any MongoDB client may
    /// have written it.
    public var videoPath: String

    /// Makes the fact.
    public init(id: VideoID, videoPath: String) {
        self.id = id
        self.videoPath = videoPath
    }

    /// The event that tells it.
    ///
    /// - Parameter revision: The revision that the change made.
    /// - Returns: The event; its id is the same whoever makes it.
    /// - Throws: `internal` when it cannot be written.
    public func event(revision: Int64) throws(ServiceError) -> Event {
        Event(
            id: "\(MetadataEvents.videoDeleted)/\(id)/\(revision)", name: MetadataEvents.videoDeleted,
            payload: try .json(VideoDeletedPayload(id: id, videoPath: videoPath)))
    }

    /// Reads an event.
    ///
    /// - Throws: `invalidArgument` that names the member.
    public init(_ event: Event) throws(ServiceError) {
        let payload = try event.payload.decode(VideoDeletedPayload.self, orThrow: .invalidArgument)
        self.init(id: payload.id, videoPath: payload.videoPath)
    }
}

/// `metadata.video.updated`, body.
struct VideoUpdatedPayload: Codable {
    let id: VideoID
}

/// `metadata.video.deleted`, body.
struct VideoDeletedPayload: Codable {
    let id: VideoID
    let videoPath: String
}
