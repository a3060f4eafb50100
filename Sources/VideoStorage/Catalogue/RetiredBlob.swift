import Domain

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A blob that an object does not live in any more: its version was replaced or deleted, or has moved.
///
/// It stays readable for a while, so that whoever is in the middle of it can finish; then the collector deletes it.
struct RetiredBlob: Sendable, Equatable {
    /// The version whose bytes it holds.
    var version: ObjectVersion
    /// Which provider holds it.
    var provider: ProviderName
    /// Where in the provider it is.
    var location: StorageKey
    /// The state in which it holds these bytes. A blob in another state is not this one any more, and is not deleted.
    var validator: BlobValidator
    /// Bytes in all.
    var size: Int64
    /// The media type, where it is known.
    var contentType: String?
    /// When the version came to be.
    var committedAt: Date
    /// When it was retired, to the millisecond.
    var since: Date

    /// Retires the blob that an entry names.
    init(_ entry: CatalogueEntry, since: Date) {
        version = entry.version
        provider = entry.provider
        location = entry.location
        validator = entry.validator
        size = entry.size
        contentType = entry.contentType
        committedAt = entry.committedAt
        self.since = since
    }

    /// The entry under which its bytes can be read.
    func entry(of key: StorageKey) -> CatalogueEntry {
        CatalogueEntry(
            key: key, version: version, provider: provider, location: location, size: size, contentType: contentType,
            checksum: nil, validator: validator, committedAt: committedAt, state: .committed)
    }
}

/// A ``RetiredBlob`` inside a document of the collection `objects`.
struct RetiredRecord: Codable, Sendable {
    /// What the document says.
    let blob: RetiredBlob

    private enum CodingKeys: String, CodingKey {
        case version, provider, location, validator, size, contentType, committedAt, since
    }

    init(_ blob: RetiredBlob) {
        self.blob = blob
    }

    /// Reads it; decoding names the field that is of a wrong shape.
    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let entry = CatalogueEntry(
            // Only to get through the initialiser: a retired blob knows no key.
            key: try fields.parsed(.location) { try? StorageKey($0) },
            version: try fields.parsed(.version, as: ObjectVersion.init),
            provider: try fields.parsed(.provider, as: ProviderName.init),
            location: try fields.parsed(.location) { try? StorageKey($0) },
            size: try fields.decode(Int64.self, forKey: .size),
            contentType: try fields.decodeIfPresent(String.self, forKey: .contentType),
            checksum: nil,
            validator: try fields.parsed(.validator, as: BlobValidator.init),
            committedAt: try fields.decode(Date.self, forKey: .committedAt), state: .committed)
        blob = RetiredBlob(entry, since: try fields.decode(Date.self, forKey: .since))
    }

    /// Writes it; what is not known is left out.
    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(blob.version.description, forKey: .version)
        try fields.encode(blob.provider.description, forKey: .provider)
        try fields.encode(blob.location.description, forKey: .location)
        try fields.encode(blob.validator.description, forKey: .validator)
        try fields.encode(blob.size, forKey: .size)
        try fields.encodeIfPresent(blob.contentType, forKey: .contentType)
        try fields.encode(blob.committedAt, forKey: .committedAt)
        try fields.encode(blob.since, forKey: .since)
    }
}
