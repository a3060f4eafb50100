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
    private let metrics: StorageMetrics
    private let logger: Logger

    /// Puts the service together.
    ///
    /// - Parameters:
    ///   - catalogue: Which objects there are.
    ///   - providers: Where their bytes are.
    ///   - known: The versions that this worker knows.
    ///   - metrics: Where reads and adoptions are counted.
    ///   - logger: Where adoptions are written.
    init(
        catalogue: any Catalogue,
        providers: ProviderSet,
        known: KnownVersions = KnownVersions(),
        metrics: StorageMetrics,
        logger: Logger
    ) {
        self.catalogue = catalogue
        self.providers = providers
        self.known = known
        self.metrics = metrics
        self.logger = logger
    }

    /// What is known of an object. An object that the catalogue does not know but a provider has is entered
    /// (*adopted*); one whose blob has changed gets a new version.
    ///
    /// The entry of an object whose blob has vanished is kept as it is, so that a directory which was not mounted for a
    /// while costs no versions and no checksums; the caller gets `notFound`.
    func stat(_ key: StorageKey, deadline: Deadline) async throws(ServiceError) -> ObjectFacts {
        facts(of: try await current(key, deadline: deadline))
    }

    /// See ``Domain/StorageService/open(_:at:deadline:)``. The version of the chunk is named by the facts, so the two cannot
    /// be of different ones.
    func open(
        _ key: StorageKey, at start: ReadStart, deadline: Deadline
    ) async throws(ServiceError) -> OpenedObject {
        let facts = try await stat(key, deadline: deadline)
        guard let index = start.chunkIndex(size: facts.size, chunkBytes: facts.chunkBytes) else {
            return OpenedObject(facts: facts, first: nil)
        }
        let address = ChunkAddress(key: key, version: facts.version, index: index, chunkBytes: facts.chunkBytes)
        return OpenedObject(facts: facts, first: try await read(address, deadline: deadline))
    }

    /// The entry of an object, after a look at its blob. See ``stat(_:deadline:)``.
    func current(_ key: StorageKey, deadline: Deadline) async throws(ServiceError) -> CatalogueEntry {
        for _ in 1...Self.maxAdoptionAttempts {
            let entry = try await catalogue.entry(for: key, deadline: deadline)
            let found: FoundBlob
            do {
                found = try await find(key, entry, deadline: deadline)
            } catch {
                // It may have moved since the catalogue was asked, and its old place be gone.
                guard let entry, let now = try? await catalogue.entry(for: key, deadline: deadline),
                    now.isElsewhere(than: entry)
                else { throw error }
                continue
            }
            let current: CatalogueEntry
            if let entry, entry.state == .committed, entry.validator == found.facts.validator {
                current = entry
            } else {
                current = try await adopt(found, of: key, replacing: entry, deadline: deadline)
            }
            // Another worker may have entered a state that is newer, or older, than the one seen here: look again.
            guard current.state == .committed, current.provider == found.provider,
                current.validator == found.facts.validator
            else { continue }
            known.remember(current)
            return current
        }
        throw ServiceError(.conflict, "\"\(key)\" keeps changing; ask again when it has been written.")
    }

    /// One chunk of one version. See ``Domain/StorageService/read(_:deadline:)``.
    ///
    /// A version that was replaced a short while ago can still be read. An object without bytes has no chunks: each index
    /// lies past its end.
    func read(_ chunk: ChunkAddress, deadline: Deadline) async throws(ServiceError) -> Chunk {
        try Self.check(chunk)
        let entry: CatalogueEntry
        if let remembered = known.entry(of: chunk.key, version: chunk.version) {
            entry = remembered
        } else {
            entry = try await lookUp(chunk, deadline: deadline)
        }
        do {
            return try await read(chunk, of: entry, deadline: deadline)
        } catch {
            guard Self.mayHaveMoved(error.code) else { throw error }
            let moved: CatalogueEntry
            do {
                moved = try await lookUp(chunk, deadline: deadline)
            } catch let reason {
                // Only the catalogue can say that it is gone; while it does not answer, the entry may be needed yet.
                guard [.notFound, .conflict].contains(reason.code) else { throw error }
                known.forget(chunk.key, version: chunk.version)
                throw reason
            }
            guard moved.isElsewhere(than: entry) else { throw error }
            return try await read(chunk, of: moved, deadline: deadline)
        }
    }

    /// Whether an error may come from looking for a blob where it is not any more: it has moved to another provider, and
    /// its old place has been cleared, or closed altogether.
    private static func mayHaveMoved(_ code: ServiceError.Code) -> Bool {
        switch code {
        case .notFound, .conflict, .unavailable, .permissionDenied, .unauthenticated, .internal, .corrupt: true
        default: false
        }
    }

    // MARK: - Adoption

    /// A blob, and where it was found.
    private struct FoundBlob {
        var facts: BlobFacts
        var provider: ProviderName
        var location: StorageKey
    }

    /// Looks where the entry says; for a key without an entry, or with that of a deleted object, into each provider in turn.
    private func find(
        _ key: StorageKey, _ entry: CatalogueEntry?, deadline: Deadline
    ) async throws(ServiceError) -> FoundBlob {
        if let entry, entry.state == .committed {
            let facts = try await providers.provider(of: entry).stat(entry.location, deadline: deadline)
            return FoundBlob(facts: facts, provider: entry.provider, location: entry.location)
        }
        // What an upload has left in a provider is no object by that name.
        guard !Upload.isOwn(key) else { throw Self.missing(key) }
        var refusal: ServiceError?
        for provider in providers.all {
            do {
                let facts = try await provider.stat(key, deadline: deadline)
                // What is left of a deleted object is not there; what somebody has put in its place is.
                let isLeft = entry?.retired.contains {
                    $0.provider == provider.name && $0.location == key && $0.validator == facts.validator
                }
                guard isLeft != true else { continue }
                return FoundBlob(facts: facts, provider: provider.name, location: key)
            } catch {
                // A name that one provider cannot have may be another one's.
                guard error.code == .notFound || error.code == .invalidArgument else { throw error }
                if error.code == .invalidArgument, refusal == nil { refusal = error }
            }
        }
        throw refusal ?? Self.missing(key)
    }

    private static func missing(_ key: StorageKey) -> ServiceError {
        ServiceError(.notFound, "There is no object \"\(key)\" in the storage.")
    }

    private func adopt(
        _ found: FoundBlob, of key: StorageKey, replacing entry: CatalogueEntry?, deadline: Deadline
    ) async throws(ServiceError) -> CatalogueEntry {
        var adopted = try CatalogueEntry(adopting: found.facts, at: found.location, in: found.provider, key: key)
        if let entry, Upload.isOwn(found.location) { try Self.keep(&adopted, what: entry) }
        switch try await catalogue.put(adopted, replacing: entry, deadline: deadline) {
        case .found(let current):
            return current
        case .put:
            metrics.adoptions.increment()
            logger.info(
                "adopted a blob",
                metadata: [
                    "key": "\(PrintableText(key.description))", "provider": "\(found.provider)",
                    "version": "\(adopted.version)", "replaced": "\(entry?.version.description ?? "-")",
                    "bytes": "\(adopted.size)",
                ])
            return adopted
        }
    }

    /// Nobody but this service writes where uploads and moves go. A blob in another state there was put back from a copy, or is
    /// damaged: its bytes should still be those of the checksum, and they are as many.
    private static func keep(_ adopted: inout CatalogueEntry, what entry: CatalogueEntry) throws(ServiceError) {
        guard adopted.size == entry.size else {
            throw ServiceError(
                .corrupt,
                "\"\(entry.key)\" has \(adopted.size) bytes in \(entry.provider), and \(entry.size) in the catalogue.")
        }
        adopted.checksum = entry.checksum
        adopted.contentType = adopted.contentType ?? entry.contentType
    }

    // MARK: - Reading

    /// The entry of a version that this worker has not seen yet, provided that it can be read.
    private func lookUp(_ chunk: ChunkAddress, deadline: Deadline) async throws(ServiceError) -> CatalogueEntry {
        metrics.catalogueLookups.increment()
        guard let entry = try await catalogue.entry(for: chunk.key, deadline: deadline) else {
            throw Self.missing(chunk.key)
        }
        guard let entry = entry.readable(chunk.version) else {
            guard entry.state == .committed else { throw Self.missing(chunk.key) }
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
        let read = try await providers.provider(of: entry)
            .read(entry.location, range: range, validator: entry.validator, deadline: deadline)
        guard Int64(read.bytes.readableBytes) == range.count else {
            throw ServiceError(.corrupt, "\"\(chunk.key)\" is shorter than the catalogue says.")
        }
        metrics.reads.increment()
        metrics.readBytes.increment(by: range.count)
        return Chunk(
            version: entry.version, offset: range.first, objectSize: entry.size, bytes: read.bytes,
            checksum: read.checksum)
    }

    private func facts(of entry: CatalogueEntry) -> ObjectFacts {
        ObjectFacts(
            key: entry.key, version: entry.version, size: entry.size, contentType: entry.contentType,
            modifiedAt: entry.committedAt, chunkBytes: providers.chunkBytes(in: entry.provider))
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
