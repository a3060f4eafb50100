public import Domain
public import RPC

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// What the storage service tells, and where it listens.
public enum StorageEvents {
    /// ``ObjectCommitted``. The metadata service needs it: it makes a video ready.
    public static let objectCommitted = "storage.object.committed"
    /// ``ObjectDeleted``
    public static let objectDeleted = "storage.object.deleted"

    /// The events that nobody needs to want (``RPC/OutboxPublisher``).
    public static let optional: Set<String> = [objectDeleted]

    /// The queue in which the storage service receives events of others; its workers share it.
    public static let queue = "millrace.storage.events"
    /// Which events it receives.
    public static let patterns = [MetadataEvents.videoDeleted]
}

/// An object has got a new version. Told at least once for each version; perhaps late, and not in the order of the versions.
public struct ObjectCommitted: Sendable, Equatable {
    /// The object.
    public var key: StorageKey
    /// The version that is current now.
    public var version: ObjectVersion
    /// Its size in bytes.
    public var size: Int64
    /// Its media type, where it is known.
    public var contentType: String?
    /// `sha256:` and 64 hexadecimal digits, where it is known.
    public var checksum: String?
    /// When it was committed, to the millisecond; later than any version of the same object before it, so that receivers know
    /// the newest by it.
    public var committedAt: Date

    /// Makes the facts.
    public init(
        key: StorageKey, version: ObjectVersion, size: Int64, contentType: String?, checksum: String?, committedAt: Date
    ) {
        self.key = key
        self.version = version
        self.size = size
        self.contentType = contentType
        self.checksum = checksum
        self.committedAt = committedAt
    }

    /// The event that tells it; its id is the same whoever makes it.
    public func event() throws(ServiceError) -> Event {
        let payload = ObjectCommittedPayload(
            key: key.description, version: version.description, size: size, contentType: contentType,
            checksum: checksum, committedAtMilliseconds: committedAt.milliseconds)
        return Event(
            id: "\(StorageEvents.objectCommitted)/\(version)", name: StorageEvents.objectCommitted,
            payload: try .json(payload))
    }

    /// Reads an event.
    ///
    /// - Throws: `invalidArgument` that names the member.
    public init(_ event: Event) throws(ServiceError) {
        let payload = try event.payload.decode(ObjectCommittedPayload.self, orThrow: .invalidArgument)
        guard payload.size >= 0 else { throw ServiceError(.invalidArgument, "The member size is negative.") }
        self.init(
            key: try StorageKey(payload.key), version: try .read(payload.version), size: payload.size,
            contentType: payload.contentType, checksum: payload.checksum,
            committedAt: Date(milliseconds: payload.committedAtMilliseconds))
    }
}

/// An object is gone.
public struct ObjectDeleted: Sendable, Equatable {
    /// The object.
    public var key: StorageKey
    /// The version that was current.
    public var version: ObjectVersion

    /// Makes the facts.
    public init(key: StorageKey, version: ObjectVersion) {
        self.key = key
        self.version = version
    }

    /// The event that tells it; its id is the same whoever makes it.
    public func event() throws(ServiceError) -> Event {
        let payload = ObjectDeletedPayload(key: key.description, version: version.description)
        return Event(
            id: "\(StorageEvents.objectDeleted)/\(version)", name: StorageEvents.objectDeleted,
            payload: try .json(payload))
    }

    /// Reads an event.
    ///
    /// - Throws: `invalidArgument` that names the member.
    public init(_ event: Event) throws(ServiceError) {
        let payload = try event.payload.decode(ObjectDeletedPayload.self, orThrow: .invalidArgument)
        self.init(key: try StorageKey(payload.key), version: try .read(payload.version))
    }
}

/// `storage.object.committed`, body.
struct ObjectCommittedPayload: Codable {
    let key: String
    let version: String
    let size: Int64
    let contentType: String?
    let checksum: String?
    let committedAtMilliseconds: Int64
}

/// `storage.object.deleted`, body.
struct ObjectDeletedPayload: Codable {
    let key: String
    let version: String
}

extension ObjectVersion {
    /// Reads a version that somebody sent.
    static func read(_ text: String) throws(ServiceError) -> ObjectVersion {
        guard let version = ObjectVersion(text) else {
            throw ServiceError(.invalidArgument, "The member version is not a version.")
        }
        return version
    }
}
