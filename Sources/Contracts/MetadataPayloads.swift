internal import Domain

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// `metadata.find.v1`, request.
struct FindRequest: Codable {
    let id: VideoID
}

/// `metadata.list.v1`, request.
struct ListRequest: Codable {
    let after: VideoID?
    let limit: Int
}

/// `metadata.list.v1`, reply.
struct ListReply: Codable {
    let videos: [VideoPayload]
    let next: VideoID?
}

/// `metadata.create.v1`, request.
struct CreateRequest: Codable {
    let id: VideoID?
    let videoPath: String
    let title: String?
    let description: String?
    let contentType: String?
    let awaitsUpload: Bool?

    init(_ video: NewVideo) {
        id = video.id
        videoPath = video.videoPath
        title = video.title
        description = video.description
        contentType = video.contentType
        awaitsUpload = video.awaitsUpload ? true : nil
    }

    var video: NewVideo {
        NewVideo(
            id: id, videoPath: videoPath, title: title, description: description, contentType: contentType,
            awaitsUpload: awaitsUpload ?? false)
    }
}

/// A video record on the wire. Moments are milliseconds since 1970, as MongoDB keeps them.
struct VideoPayload: Codable {
    let id: VideoID
    let videoPath: String
    let title: String?
    let description: String?
    let contentType: String?
    let state: String
    let content: ContentPayload?
    let createdAtMilliseconds: Int64?
    let updatedAtMilliseconds: Int64?
    let revision: Int64

    init(_ video: Video) {
        id = video.id
        videoPath = video.videoPath
        title = video.title
        description = video.description
        contentType = video.contentType
        state = video.state.rawValue
        content = video.content.map(ContentPayload.init)
        createdAtMilliseconds = video.createdAt?.milliseconds
        updatedAtMilliseconds = video.updatedAt?.milliseconds
        revision = video.revision
    }

    /// A state that this version does not know is not played.
    var video: Video {
        Video(
            id: id, videoPath: videoPath, title: title, description: description, contentType: contentType,
            state: Video.State(rawValue: state) ?? .awaitingUpload, content: content?.content,
            createdAt: createdAtMilliseconds.map { Date(milliseconds: $0) },
            updatedAt: updatedAtMilliseconds.map { Date(milliseconds: $0) }, revision: revision)
    }
}

/// What was uploaded last, on the wire.
struct ContentPayload: Codable {
    let version: String
    let size: Int64
    let contentType: String?
    let committedAtMilliseconds: Int64

    init(_ content: VideoContent) {
        version = content.version.description
        size = content.size
        contentType = content.contentType
        committedAtMilliseconds = content.committedAt.milliseconds
    }

    /// `nil` when it cannot be: it is for people to see only.
    var content: VideoContent? {
        guard let version = ObjectVersion(version), size >= 0 else { return nil }
        return VideoContent(
            version: version, size: size, contentType: contentType,
            committedAt: Date(milliseconds: committedAtMilliseconds))
    }
}

extension Date {
    /// Rounded. What lies beyond counting is the first or the last moment that can be counted: any program may have put
    /// such a date into a record, and it must not stop the worker that reads it.
    var milliseconds: Int64 {
        let value = (timeIntervalSince1970 * 1_000).rounded()
        if value.isNaN { return 0 }
        return Int64(exactly: value) ?? (value < 0 ? .min : .max)
    }

    init(milliseconds: Int64) {
        self.init(timeIntervalSince1970: Double(milliseconds) / 1_000)
    }
}
