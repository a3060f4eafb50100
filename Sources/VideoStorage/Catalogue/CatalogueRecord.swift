import Domain
import Mongo

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A document of the collection `objects`: a ``CatalogueEntry`` as the database has it.
///
/// `_id` is an ObjectId that nobody looks at; `key` is unique. Fields that are not known here are ignored and kept, so that
/// workers of neighbouring versions can share the catalogue; a change that they could not live with gets a new state
/// or a new collection.
struct CatalogueRecord: Codable, Sendable, Equatable {
    /// The collection.
    static let collection = "objects"
    /// Which form a document has that this program writes.
    static let schemaVersion: Int32 = 1

    /// The fields, under their names in the database.
    enum CodingKeys: String, CodingKey {
        case key
        case version
        case provider
        case location
        case size
        case contentType
        case checksum
        case validator
        case committedAt
        case state
        case retired
        case schemaVersion
    }

    /// What the document says.
    var entry: CatalogueEntry

    /// The document of an entry.
    init(_ entry: CatalogueEntry) {
        self.entry = entry
    }

    /// Reads a document; a text that is not of its field's form is a wrong shape, and decoding names the field.
    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let size = try fields.decode(Int64.self, forKey: .size)
        guard size >= 0 else {
            throw DecodingError.dataCorruptedError(forKey: .size, in: fields, debugDescription: "it is negative")
        }
        entry = CatalogueEntry(
            key: try fields.parsed(.key) { try? StorageKey($0) },
            version: try fields.parsed(.version, as: ObjectVersion.init),
            provider: try fields.parsed(.provider, as: ProviderName.init),
            location: try fields.parsed(.location) { try? StorageKey($0) },
            size: size,
            contentType: try fields.decodeIfPresent(String.self, forKey: .contentType),
            checksum: try fields.decodeIfPresent(String.self, forKey: .checksum),
            validator: try fields.parsed(.validator, as: BlobValidator.init),
            committedAt: try fields.decode(Date.self, forKey: .committedAt),
            state: try fields.decode(CatalogueEntry.State.self, forKey: .state),
            retired: try fields.decodeIfPresent([RetiredRecord].self, forKey: .retired)?.map(\.blob) ?? [])
    }

    /// Writes a document; what is not known is left out, and so are retired blobs: they are added and taken away one by one.
    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(entry.key.description, forKey: .key)
        try fields.encode(entry.version.description, forKey: .version)
        try fields.encode(entry.provider.description, forKey: .provider)
        try fields.encode(entry.location.description, forKey: .location)
        try fields.encode(entry.size, forKey: .size)
        try fields.encodeIfPresent(entry.contentType, forKey: .contentType)
        try fields.encodeIfPresent(entry.checksum, forKey: .checksum)
        try fields.encode(entry.validator.description, forKey: .validator)
        try fields.encode(entry.committedAt, forKey: .committedAt)
        try fields.encode(entry.state, forKey: .state)
        try fields.encode(Self.schemaVersion, forKey: .schemaVersion)
    }
}

extension KeyedDecodingContainer {
    /// A text of a certain form; one of another form is a wrong shape, and the error names the field.
    func parsed<Value>(_ key: Key, as parse: (String) -> Value?) throws -> Value {
        guard let value = parse(try decode(String.self, forKey: key)) else {
            throw DecodingError.dataCorruptedError(
                forKey: key, in: self, debugDescription: "field \(key.stringValue): it is not of the right form")
        }
        return value
    }
}
