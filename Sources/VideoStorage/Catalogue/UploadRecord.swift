import Domain
import Mongo

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A document of the collection `uploads`: an ``Upload`` as the database has it; `_id` is the upload's id.
struct UploadRecord: Codable, Sendable {
    /// The collection.
    static let collection = "uploads"
    /// Which form a document has that this program writes.
    static let schemaVersion: Int32 = 1

    /// The fields, under their names in the database.
    enum CodingKeys: String, CodingKey {
        case id = "_id"
        case key, purpose, expectedVersion, expectedCommittedAt, provider, location, handle, contentType, announcedSize
        case state, size, checksum, committedAt, copiedBytes, createdAt, touchedAt, schemaVersion
    }

    /// What the document says.
    let upload: Upload

    /// The document of an upload.
    init(_ upload: Upload) {
        self.upload = upload
    }

    /// Reads a document; decoding names the field that is of a wrong shape.
    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        var expectation: Upload.Expectation?
        if fields.contains(.expectedVersion) {
            expectation = Upload.Expectation(
                version: try fields.parsed(.expectedVersion, as: ObjectVersion.init),
                committedAt: try fields.decode(Date.self, forKey: .expectedCommittedAt))
        }
        var content: Upload.Content?
        if fields.contains(.checksum) {
            content = Upload.Content(
                size: try fields.decode(Int64.self, forKey: .size),
                checksum: try fields.decode(String.self, forKey: .checksum),
                committedAt: try fields.decode(Date.self, forKey: .committedAt))
        }
        upload = Upload(
            id: try fields.parsed(.id, as: UploadID.init),
            key: try fields.parsed(.key) { try? StorageKey($0) },
            purpose: try fields.decode(Upload.Purpose.self, forKey: .purpose), expectation: expectation,
            provider: try fields.parsed(.provider, as: ProviderName.init),
            location: try fields.parsed(.location) { try? StorageKey($0) },
            handle: UploadHandle(try fields.decode(String.self, forKey: .handle)),
            contentType: try fields.decodeIfPresent(String.self, forKey: .contentType),
            announcedSize: try fields.decodeIfPresent(Int64.self, forKey: .announcedSize),
            state: try fields.decode(Upload.State.self, forKey: .state), content: content,
            copiedBytes: try fields.decodeIfPresent(Int64.self, forKey: .copiedBytes) ?? 0,
            createdAt: try fields.decode(Date.self, forKey: .createdAt),
            touchedAt: try fields.decode(Date.self, forKey: .touchedAt))
    }

    /// Writes a document; what is not known is left out.
    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(upload.id.description, forKey: .id)
        try fields.encode(upload.key.description, forKey: .key)
        try fields.encode(upload.purpose, forKey: .purpose)
        try fields.encodeIfPresent(upload.expectation?.version.description, forKey: .expectedVersion)
        try fields.encodeIfPresent(upload.expectation?.committedAt, forKey: .expectedCommittedAt)
        try fields.encode(upload.provider.description, forKey: .provider)
        try fields.encode(upload.location.description, forKey: .location)
        try fields.encode(upload.handle.description, forKey: .handle)
        try fields.encodeIfPresent(upload.contentType, forKey: .contentType)
        try fields.encodeIfPresent(upload.announcedSize, forKey: .announcedSize)
        try fields.encode(upload.state, forKey: .state)
        try fields.encodeIfPresent(upload.content?.size, forKey: .size)
        try fields.encodeIfPresent(upload.content?.checksum, forKey: .checksum)
        try fields.encodeIfPresent(upload.content?.committedAt, forKey: .committedAt)
        if upload.copiedBytes > 0 { try fields.encode(upload.copiedBytes, forKey: .copiedBytes) }
        try fields.encode(upload.createdAt, forKey: .createdAt)
        try fields.encode(upload.touchedAt, forKey: .touchedAt)
        try fields.encode(Self.schemaVersion, forKey: .schemaVersion)
    }
}
