import Domain

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What the catalogue knows of bytes on their way into a provider.
///
/// The blob of an upload has a location of its own, `uploads/<id>` or `moved/<id>`, which is never used again. So nothing
/// that happens to one upload touches the bytes of another, or of a version that is being read.
struct Upload: Sendable, Equatable {
    /// Where an upload is in its life. It goes forward only; every step compares the state that it starts from.
    enum State: String, Sendable, Codable, CaseIterable {
        /// Blocks are being staged.
        case open
        /// Its content is known and does not change any more; any worker may bring it to an end.
        case committing
        /// The catalogue has named it as a version. Kept for a while, so that a repeated commit gets the same answer.
        case committed
        /// Another version was there first. What it has in the provider waits for the collector.
        case lost
        /// Given up. What it has in the provider waits for the collector.
        case aborted
    }

    /// What becomes of the bytes.
    enum Purpose: String, Sendable, Codable {
        /// A new version of the object.
        case content
        /// A new place for the version that there is.
        case move
    }

    /// The version that is replaced.
    struct Expectation: Sendable, Equatable {
        /// The version that was current when the upload began.
        var version: ObjectVersion
        /// When that came to be: the new one came later, whatever the clock of the worker says.
        var committedAt: Date
    }

    /// What is known when all blocks are there.
    struct Content: Sendable, Equatable {
        /// Bytes in all.
        var size: Int64
        /// The checksum of all bytes.
        var checksum: String
        /// When the version came to be, to the millisecond.
        var committedAt: Date
    }

    /// Names it; its version, once it is committed, has the same name.
    var id: UploadID
    /// The object that it belongs to.
    var key: StorageKey
    /// What becomes of it.
    var purpose: Purpose
    /// What it replaces; `nil` when there was no object.
    var expectation: Expectation?
    /// The provider that takes it.
    var provider: ProviderName
    /// Where in the provider it is.
    var location: StorageKey
    /// What the provider calls it.
    var handle: UploadHandle
    /// The media type, where it is known.
    var contentType: String?
    /// Bytes in all as they were announced, where they were.
    var announcedSize: Int64?
    /// Where it is in its life.
    var state: State
    /// Known from `committing` on.
    var content: Content?
    /// How far a move has come, as it was last noted.
    var copiedBytes: Int64 = 0
    /// When it was begun, to the millisecond.
    var createdAt: Date
    /// When something was last done with it, to the minute: what is untouched for long has been abandoned.
    var touchedAt: Date

    /// The version that it becomes.
    var version: ObjectVersion { ObjectVersion(id) }
}

extension Upload {
    /// The first part of the location of every blob that an upload makes.
    static let uploadsPrefix = "uploads"
    /// The first part of the location of every blob that a migration makes.
    static let movedPrefix = "moved"

    /// How long the update may take that names the blob in the catalogue, in seconds, counted from before the last look whether
    /// the upload has been given up. Blobs of uploads that were given up are deleted later than that.
    static let namingSeconds = 10

    /// Where the blob of an upload lies in its provider.
    static func location(of id: UploadID, for purpose: Purpose) throws(ServiceError) -> StorageKey {
        try StorageKey("\(purpose == .content ? uploadsPrefix : movedPrefix)/\(id)")
    }

    /// Whether a location is of the form that only this service writes. Whatever lies elsewhere was put there by somebody.
    static func isOwn(_ location: StorageKey) -> Bool {
        let parts = location.parts
        guard parts.count == 2, parts[0] == uploadsPrefix || parts[0] == movedPrefix else { return false }
        return UploadID(String(parts[1])) != nil
    }

    /// Whether an entry is what this upload expects to replace. Nothing, and what is left of a deleted object, are alike.
    func expects(_ entry: CatalogueEntry?) -> Bool {
        let present = entry?.state == .committed ? entry?.version : nil
        return present == expectation?.version
    }

    /// Whether it has become a version: the current one, or one that was replaced a short while ago.
    func isNamed(by entry: CatalogueEntry?) -> Bool {
        guard let entry else { return false }
        return entry.version == version || entry.retired.contains { $0.version == version }
    }
}

extension ObjectVersion {
    /// The version that an upload becomes.
    init(_ id: UploadID) {
        guard let version = ObjectVersion(id.description) else {
            preconditionFailure("32 hexadecimal digits are not a version")
        }
        self = version
    }
}

extension Date {
    /// As the database keeps it: without what is finer than a millisecond.
    var inWholeMilliseconds: Date {
        Date(timeIntervalSince1970: (timeIntervalSince1970 * 1_000).rounded(.down) / 1_000)
    }
}
