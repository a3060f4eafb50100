import Domain
import Logging
import Metrics
import NIOCore

/// The storage service: objects by key and version, from whichever provider holds them.
///
/// Facts come from the catalogue and are compared with the provider each time, so that a blob which was put, exchanged
/// or removed by hand is seen at once. Chunks come from the provider alone: a version's entry is asked for once and then
/// known, so chunks of known versions are read on while the database is down.
///
/// A worker keeps no state that another one would need; any of them answers any call.
struct ObjectStorage: StorageService {
    /// A blob that changes this often while one call looks at it is still being written.
    private static let maxAdoptionAttempts = 3

    private let catalogue: any Catalogue
    private let providers: ProviderSet
    private let known: KnownVersions
    private let chunkBytes: Int
    private let metrics: StorageMetrics
    private let logger: Logger

    /// Puts the service together.
    ///
    /// - Parameters:
    ///   - catalogue: Which objects there are.
    ///   - providers: Where their bytes are.
    ///   - known: The versions that this worker knows.
    ///   - chunkBytes: The chunk size that callers are told to use, within ``Domain/StorageLimits/chunkBytesRange``.
    ///   - metrics: Where reads and adoptions are counted.
    ///   - logger: Where adoptions are written.
    init(
        catalogue: any Catalogue,
        providers: ProviderSet,
        known: KnownVersions = KnownVersions(),
        chunkBytes: Int = StorageLimits.defaultChunkBytes,
        metrics: StorageMetrics,
        logger: Logger
    ) {
        self.catalogue = catalogue
        self.providers = providers
        self.known = known
        self.chunkBytes = chunkBytes
        self.metrics = metrics
        self.logger = logger
    }

    /// What is known of an object. An object that the catalogue does not know but the primary provider has is entered
    /// (*adopted*); one whose blob has changed gets a new version.
    ///
    /// The entry of an object whose blob has vanished is kept as it is, so that a directory which was not mounted for a
    /// while costs no versions and no checksums; the caller gets `notFound`.
    func stat(_ key: StorageKey, deadline: Deadline) async throws(ServiceError) -> ObjectFacts {
        for _ in 1...Self.maxAdoptionAttempts {
            let entry = try await catalogue.entry(for: key, deadline: deadline)
            let provider = try providers.provider(of: entry)
            let blob = try await provider.stat(entry?.location ?? key, deadline: deadline)
            let current: CatalogueEntry
            if let entry, entry.validator == blob.validator {
                current = entry
            } else {
                current = try await adopt(blob, of: key, in: provider.name, replacing: entry, deadline: deadline)
            }
            // Another worker may have entered a state that is newer, or older, than the one seen here: look again.
            guard current.provider == provider.name, current.validator == blob.validator else { continue }
            known.remember(current)
            return facts(of: current)
        }
        throw ServiceError(.conflict, "\"\(key)\" keeps changing; ask again when it has been written.")
    }

    /// One chunk of one version. See ``Domain/StorageService/read(_:deadline:)``.
    ///
    /// An object without bytes has no chunks: each index lies past its end.
    func read(_ chunk: ChunkAddress, deadline: Deadline) async throws(ServiceError) -> Chunk {
        try Self.check(chunk)
        guard let entry = known.entry(of: chunk.key, version: chunk.version) else {
            return try await read(chunk, of: lookUp(chunk, deadline: deadline), deadline: deadline)
        }
        do {
            return try await read(chunk, of: entry, deadline: deadline)
        } catch {
            guard error.code == .notFound || error.code == .conflict else { throw error }
            // The blob is not where it was. Has the version moved elsewhere, or is it gone?
            known.forget(chunk.key, version: chunk.version)
            guard let moved = try? await lookUp(chunk, deadline: deadline), moved.isElsewhere(than: entry) else {
                throw error
            }
            return try await read(chunk, of: moved, deadline: deadline)
        }
    }

    private func adopt(
        _ blob: BlobFacts,
        of key: StorageKey,
        in provider: ProviderName,
        replacing entry: CatalogueEntry?,
        deadline: Deadline
    ) async throws(ServiceError) -> CatalogueEntry {
        let adopted = try CatalogueEntry(adopting: blob, at: entry?.location ?? key, in: provider, key: key)
        switch try await catalogue.put(adopted, replacing: entry?.version, deadline: deadline) {
        case .found(let current):
            return current
        case .put:
            metrics.adoptions.increment()
            logger.info(
                "adopted a blob",
                metadata: [
                    "key": "\(PrintableText(key.description))", "provider": "\(provider)",
                    "version": "\(adopted.version)", "replaced": "\(entry?.version.description ?? "-")",
                    "bytes": "\(adopted.size)",
                ])
            return adopted
        }
    }

    /// The entry of a version that this worker has not seen yet, provided that it is the current one.
    private func lookUp(_ chunk: ChunkAddress, deadline: Deadline) async throws(ServiceError) -> CatalogueEntry {
        metrics.catalogueLookups.increment()
        guard let entry = try await catalogue.entry(for: chunk.key, deadline: deadline) else {
            throw ServiceError(.notFound, "There is no object \"\(chunk.key)\" in the storage.")
        }
        guard entry.version == chunk.version else {
            throw ServiceError(.conflict, "\"\(chunk.key)\" has another version by now; ask for its facts again.")
        }
        known.remember(entry)
        return entry
    }

    private func read(
        _ chunk: ChunkAddress,
        of entry: CatalogueEntry,
        deadline: Deadline
    ) async throws(ServiceError) -> Chunk {
        guard let range = chunk.range(inObjectOf: entry.size) else {
            throw ServiceError(
                .invalidArgument, "Chunk \(chunk.index) lies past the end of \"\(chunk.key)\" (\(entry.size) bytes).")
        }
        let bytes = try await providers.provider(of: entry)
            .read(entry.location, range: range, validator: entry.validator, deadline: deadline)
        guard Int64(bytes.readableBytes) == range.count else {
            throw ServiceError(.corrupt, "\"\(chunk.key)\" is shorter than the catalogue says.")
        }
        metrics.reads.increment()
        metrics.readBytes.increment(by: range.count)
        return Chunk(version: entry.version, offset: range.first, objectSize: entry.size, bytes: bytes)
    }

    private func facts(of entry: CatalogueEntry) -> ObjectFacts {
        ObjectFacts(
            key: entry.key, version: entry.version, size: entry.size, contentType: entry.contentType,
            modifiedAt: entry.committedAt, chunkBytes: chunkBytes)
    }

    private static func check(_ chunk: ChunkAddress) throws(ServiceError) {
        guard StorageLimits.chunkBytesRange.contains(chunk.chunkBytes) else {
            let range = StorageLimits.chunkBytesRange
            throw ServiceError(
                .invalidArgument,
                "A chunk has \(range.lowerBound) to \(range.upperBound) bytes, not \(chunk.chunkBytes).")
        }
    }
}
