import Domain

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What the catalogue says of one object: which version is current, and which blob of which provider holds its bytes.
struct CatalogueEntry: Sendable, Equatable {
    /// What may be done with an object.
    enum State: String, Sendable, Codable {
        /// Its bytes are whole and can be read.
        case committed
        /// It has been deleted. The entry stays until its blob is gone and its event has been told, so that nothing that is
        /// still there can be adopted in the meantime.
        case deleted
    }

    /// The object's name.
    var key: StorageKey
    /// The current version. It stays when the same bytes move to another provider.
    var version: ObjectVersion
    /// Which provider holds the blob.
    var provider: ProviderName
    /// Where in the provider it is. For an adopted object this is the key itself.
    var location: StorageKey
    /// Bytes in all.
    var size: Int64
    /// The media type, where it is known.
    var contentType: String?
    /// The checksum of all bytes as `algorithm:hexadecimal`; `nil` for an adopted object, whose bytes nobody has read.
    var checksum: String?
    /// The state of the blob in which it holds this version's bytes.
    var validator: BlobValidator
    /// When the version came to be, to the millisecond; of an adopted object, when the blob was last modified.
    var committedAt: Date
    /// What may be done with it.
    var state: State
    /// Blobs that the object does not live in any more and that have not been deleted yet. Not part of what is written
    /// with the entry: only the collector takes one away, and only a change of the entry adds one.
    var retired: [RetiredBlob] = []
}

extension CatalogueEntry {
    /// The entry of a blob that was found in a provider.
    ///
    /// It follows from its arguments alone, so that workers who find the same blob at the same time make the same entry.
    init(
        adopting blob: BlobFacts,
        at location: StorageKey,
        in provider: ProviderName,
        key: StorageKey
    ) throws(ServiceError) {
        guard let version = ObjectVersion("\(provider)-\(blob.validator)") else {
            throw ServiceError(.internal, "The provider \"\(provider)\" has a name that no version can be made of.")
        }
        // The database keeps milliseconds. Cut here, an entry is the same before and after it was stored.
        let milliseconds = (blob.modifiedAt.timeIntervalSince1970 * 1_000).rounded(.down)
        self.init(
            key: key, version: version, provider: provider, location: location, size: blob.size,
            contentType: blob.contentType, checksum: nil, validator: blob.validator,
            committedAt: Date(timeIntervalSince1970: milliseconds / 1_000), state: .committed)
    }

    /// The version with this name as long as its bytes can still be read: the current one, or one that was replaced a short
    /// while ago, for those who are in the middle of it.
    func readable(_ version: ObjectVersion) -> CatalogueEntry? {
        if state == .committed, self.version == version {
            var current = self
            current.retired = []
            return current
        }
        return retired.last { $0.version == version }?.entry(of: key)
    }

    /// Whether it is the same version in the same place: what a change compares, in one update with the change itself.
    func isSame(as other: CatalogueEntry) -> Bool {
        version == other.version && state == other.state && provider == other.provider && location == other.location
    }

    /// Whether the bytes are to be found in another place, or in another state, than by the other entry.
    func isElsewhere(than other: CatalogueEntry) -> Bool {
        (provider, location, validator) != (other.provider, other.location, other.validator)
    }
}
