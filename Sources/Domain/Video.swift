#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// What the metadata service knows of a video.
public struct Video: Sendable, Equatable {
    /// Whether a viewer can play it.
    public enum State: String, Sendable, Codable, CaseIterable {
        /// The record exists, its bytes do not yet.
        case awaitingUpload
        /// It plays.
        case ready
        /// It is gone; the record is kept until its object is, too.
        case deleted
    }

    /// The record's identity.
    public var id: VideoID
    /// The storage key of its bytes, exactly as the record has it. It is checked where it is used, by ``StorageKey``,
    /// because a record may have been written by any MongoDB client.
    public var videoPath: String
    /// A name for people.
    public var title: String?
    /// A few sentences for people.
    public var description: String?
    /// The media type, such as `video/mp4`; where it is missing the gateway goes by the path's extension.
    public var contentType: String?
    /// Whether a viewer can play it; a record that does not say is taken as ready.
    public var state: State
    /// What was uploaded last, for people to see; `nil` where nothing was, or another program put the bytes there. What is
    /// played is what storage has.
    public var content: VideoContent?
    /// When the record was made.
    public var createdAt: Date?
    /// When it was last changed.
    public var updatedAt: Date?
    /// Goes up by one at each change; 0 for a record that another program put there.
    public var revision: Int64

    /// Makes a record; only the first two are needed for a video to play.
    public init(
        id: VideoID,
        videoPath: String,
        title: String? = nil,
        description: String? = nil,
        contentType: String? = nil,
        state: State = .ready,
        content: VideoContent? = nil,
        createdAt: Date? = nil,
        updatedAt: Date? = nil,
        revision: Int64 = 0
    ) {
        self.id = id
        self.videoPath = videoPath
        self.title = title
        self.description = description
        self.contentType = contentType
        self.state = state
        self.content = content
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.revision = revision
    }
}

/// The bytes of a video, as storage had them when they were uploaded.
public struct VideoContent: Sendable, Equatable {
    /// The version that the object got.
    public var version: ObjectVersion
    /// Bytes in all.
    public var size: Int64
    /// The media type that was given with the upload.
    public var contentType: String?
    /// When the version came to be, to the millisecond.
    public var committedAt: Date

    /// Makes the facts.
    public init(version: ObjectVersion, size: Int64, contentType: String?, committedAt: Date) {
        self.version = version
        self.size = size
        self.contentType = contentType
        self.committedAt = committedAt
    }
}

/// A video that does not exist yet: what ``MetadataService/create(_:deadline:)`` takes.
public struct NewVideo: Sendable, Equatable {
    /// The identity it shall have; the service chooses one where this is `nil`.
    public var id: VideoID?
    /// The storage key of its bytes.
    public var videoPath: String
    /// A name for people, at most ``maxTitleBytes``.
    public var title: String?
    /// A few sentences for people, at most ``maxDescriptionBytes``.
    public var description: String?
    /// The media type.
    public var contentType: String?
    /// Whether its bytes are still to be uploaded: then it cannot be played until they are.
    public var awaitsUpload: Bool

    /// Enough for any title; keeps lists small.
    public static let maxTitleBytes = 1_024
    /// Enough for a synopsis; keeps lists small.
    public static let maxDescriptionBytes = 16_384

    /// Makes the facts of a new video.
    public init(
        id: VideoID? = nil,
        videoPath: String,
        title: String? = nil,
        description: String? = nil,
        contentType: String? = nil,
        awaitsUpload: Bool = false
    ) {
        self.id = id
        self.videoPath = videoPath
        self.title = title
        self.description = description
        self.contentType = contentType
        self.awaitsUpload = awaitsUpload
    }
}

/// One page of a list, in the order of the ids.
public struct VideoPage: Sendable, Equatable {
    /// The videos of this page.
    public var videos: [Video]
    /// Where the next page starts, or `nil` when this is the last one.
    public var next: VideoID?

    /// Makes a page.
    public init(videos: [Video], next: VideoID?) {
        self.videos = videos
        self.next = next
    }
}
