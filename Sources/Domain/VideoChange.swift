/// What becomes of one field of a record.
public enum FieldChange: Sendable, Equatable {
    /// It stays as it is.
    case keep
    /// It is taken out.
    case remove
    /// It becomes this.
    case set(String)

    /// The field's value afterwards.
    public func applied(to value: String?) -> String? {
        switch self {
        case .keep: value
        case .remove: nil
        case .set(let text): text
        }
    }
}

/// What somebody wants to change in a record.
public struct VideoChange: Sendable, Equatable {
    /// The name for people.
    public var title: FieldChange
    /// The sentences for people.
    public var description: FieldChange
    /// The media type.
    public var contentType: FieldChange

    /// Makes a change; what is not given stays.
    public init(title: FieldChange = .keep, description: FieldChange = .keep, contentType: FieldChange = .keep) {
        self.title = title
        self.description = description
        self.contentType = contentType
    }

    /// The record afterwards; its revision and its time are for the service to set.
    public func applied(to video: Video) -> Video {
        var changed = video
        changed.title = title.applied(to: video.title)
        changed.description = description.applied(to: video.description)
        changed.contentType = contentType.applied(to: video.contentType)
        return changed
    }
}

/// A version of an object that storage has committed, as ``MetadataService/contentCommitted(_:deadline:)`` takes it.
public struct CommittedContent: Sendable, Equatable {
    /// The object.
    public var key: StorageKey
    /// Its version, size, type and time.
    public var content: VideoContent

    /// Makes the facts.
    public init(key: StorageKey, content: VideoContent) {
        self.key = key
        self.content = content
    }

    /// What storage answered to a commit.
    public init(_ facts: ObjectFacts) {
        key = facts.key
        content = VideoContent(
            version: facts.version, size: facts.size, contentType: facts.contentType, committedAt: facts.modifiedAt)
    }
}

extension Video {
    /// The record with newer content, ready to be played; `nil` when it has this content or newer, or is deleted. Content
    /// that is told late never takes the place of what came after it.
    public func taking(_ content: VideoContent) -> Video? {
        guard state != .deleted else { return nil }
        if let present = self.content, present.committedAt >= content.committedAt { return nil }
        var video = self
        video.content = content
        video.state = .ready
        return video
    }
}
