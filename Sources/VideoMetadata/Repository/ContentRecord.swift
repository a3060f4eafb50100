import Domain

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The field `content` of a record: a ``Domain/VideoContent`` as the database has it.
struct ContentRecord: Codable, Sendable, Equatable {
    /// See ``Domain/VideoContent/version``.
    var version: String
    /// See ``Domain/VideoContent/size``.
    var size: Int64
    /// See ``Domain/VideoContent/contentType``.
    var contentType: String?
    /// See ``Domain/VideoContent/committedAt``.
    var committedAt: Date

    /// The field of some content.
    init(_ content: VideoContent) {
        version = content.version.description
        size = content.size
        contentType = content.contentType
        committedAt = content.committedAt
    }

    /// What the field says; `nil` when that cannot be. Another program may use the name for something else, which is no
    /// reason not to play its video.
    var content: VideoContent? {
        guard let version = ObjectVersion(version), size >= 0 else { return nil }
        return VideoContent(version: version, size: size, contentType: contentType, committedAt: committedAt)
    }
}
