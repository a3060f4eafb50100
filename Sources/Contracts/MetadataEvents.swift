public import Domain
public import RPC

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

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
///
/// What becomes of the object's bytes is said by ``videoPath``: the object goes as it was when the video was deleted. Bytes
/// that came afterwards belong to whoever put them there, however late this is told, and however often.
public struct VideoDeleted: Sendable, Equatable {
    /// Which video.
    public var id: VideoID
    /// The storage key of its bytes, as the record had it; `nil` when another video plays them, so that they stay. It is
    /// checked where it is used, since any MongoDB client may have written it.
    public var videoPath: String?
    /// The version of the bytes that went with the video, where the record knew it.
    public var version: ObjectVersion?
    /// When the video was deleted, to the millisecond, by the clock of the metadata worker.
    public var deletedAt: Date?

    /// Makes the fact.
    public init(id: VideoID, videoPath: String?, version: ObjectVersion? = nil, deletedAt: Date? = nil) {
        self.id = id
        self.videoPath = videoPath
        self.version = version
        self.deletedAt = deletedAt
    }

    /// The same fact for a video whose bytes another one plays.
    public var keepingBytes: VideoDeleted { VideoDeleted(id: id, videoPath: nil) }

    /// The event that tells it.
    ///
    /// - Parameter revision: The revision that the change made.
    /// - Returns: The event; its id is the same whoever makes it.
    /// - Throws: `internal` when it cannot be written.
    public func event(revision: Int64) throws(ServiceError) -> Event {
        try event(id: "\(MetadataEvents.videoDeleted)/\(id)/\(revision)")
    }

    /// The event that tells it, under an id that it has already.
    public func event(id eventID: String) throws(ServiceError) -> Event {
        Event(
            id: eventID, name: MetadataEvents.videoDeleted,
            payload: try .json(
                VideoDeletedPayload(
                    id: id, videoPath: videoPath, version: version?.description,
                    deletedAtMilliseconds: deletedAt?.milliseconds)))
    }

    /// Reads an event.
    ///
    /// - Throws: `invalidArgument` that names the member.
    public init(_ event: Event) throws(ServiceError) {
        let payload = try event.payload.decode(VideoDeletedPayload.self, orThrow: .invalidArgument)
        var version: ObjectVersion?
        if let text = payload.version { version = try .read(text) }
        self.init(
            id: payload.id, videoPath: payload.videoPath, version: version,
            deletedAt: payload.deletedAtMilliseconds.map { Date(milliseconds: $0) })
    }
}

/// `metadata.video.updated`, body.
struct VideoUpdatedPayload: Codable {
    let id: VideoID
}

/// `metadata.video.deleted`, body.
struct VideoDeletedPayload: Codable {
    let id: VideoID
    let videoPath: String?
    let version: String?
    let deletedAtMilliseconds: Int64?
}
