import Domain

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A record as JSON.
struct VideoDocument: Encodable {
    private struct Links: Encodable {
        var `self`: String
        var content: String
    }

    private let id: String
    private let videoPath: String
    private let title: String?
    private let description: String?
    private let contentType: String?
    private let state: Video.State
    private let size: Int64?
    private let version: String?
    private let createdAt: Date?
    private let updatedAt: Date?
    private let revision: Int64
    private let links: Links

    /// The document of a record.
    init(_ video: Video) {
        id = video.id.description
        videoPath = video.videoPath
        title = video.title
        description = video.description
        contentType = video.contentType ?? video.content?.contentType
        state = video.state
        size = video.content?.size
        version = video.content?.version.description
        createdAt = video.createdAt
        updatedAt = video.updatedAt
        revision = video.revision
        links = Links(self: "/videos/\(video.id)", content: "/videos/\(video.id)/content")
    }
}
