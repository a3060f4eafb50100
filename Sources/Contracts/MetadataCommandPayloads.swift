internal import Domain

/// `metadata.update.v1`, request. What is in neither member stays.
struct UpdateRequest: Codable {
    struct Fields: Codable {
        var title: String?
        var description: String?
        var contentType: String?
    }

    let id: VideoID
    let command: String
    let revision: Int64?
    let set: Fields
    let remove: [String]

    init(id: VideoID, _ change: VideoChange, revision: Int64?, command: CommandID) {
        self.id = id
        self.command = command.description
        self.revision = revision
        var (set, remove) = (Fields(), [String]())
        for (name, part, field) in Self.parts {
            switch change[keyPath: part] {
            case .keep: break
            case .remove: remove.append(name)
            case .set(let text): set[keyPath: field] = text
            }
        }
        (self.set, self.remove) = (set, remove)
    }

    func change() throws(ServiceError) -> VideoChange {
        var change = VideoChange()
        for (name, part, field) in Self.parts {
            if let text = set[keyPath: field] { change[keyPath: part] = .set(text) }
            if remove.contains(name) { change[keyPath: part] = .remove }
        }
        guard remove.allSatisfy({ name in Self.parts.contains { $0.0 == name } }) else {
            throw ServiceError(.invalidArgument, "The member remove names a field that cannot be removed.")
        }
        return change
    }

    private static var parts: [(String, WritableKeyPath<VideoChange, FieldChange>, WritableKeyPath<Fields, String?>)] {
        [
            ("title", \.title, \.title), ("description", \.description, \.description),
            ("contentType", \.contentType, \.contentType),
        ]
    }
}

/// `metadata.delete.v1`, request.
struct DeleteRequest: Codable {
    let id: VideoID
    let command: String
    let revision: Int64?
}

/// `metadata.delete.v1`, reply: there is nothing to say.
struct DeleteReply: Codable {}

/// `metadata.content-committed.v1`, request.
struct ContentCommittedRequest: Codable {
    let key: String
    let content: ContentPayload

    init(_ content: CommittedContent) {
        key = content.key.description
        self.content = ContentPayload(content.content)
    }

    func committed() throws(ServiceError) -> CommittedContent {
        guard let content = content.content else {
            throw ServiceError(.invalidArgument, "The member content has a version or a size that cannot be.")
        }
        return CommittedContent(key: try StorageKey(key), content: content)
    }
}

/// `metadata.content-committed.v1`, reply.
struct ContentCommittedReply: Codable {
    let videos: [VideoPayload]
}

extension CommandID {
    /// Reads an id that a caller sent.
    static func read(_ text: String) throws(ServiceError) -> CommandID {
        guard let id = CommandID(text) else {
            throw ServiceError(
                .invalidArgument, "The member command is no command id: 1 to 64 letters, digits, -, _ or .")
        }
        return id
    }
}
