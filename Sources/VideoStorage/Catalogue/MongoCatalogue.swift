import Domain
import Mongo
import RPC

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The catalogue in the collection `objects` of this service's own database, shared by all its workers.
///
/// A unique index on the key makes the first entry of several the only one; a change compares what it replaces in the same
/// update. Both are atomic on a standalone server as on a replica set.
struct MongoCatalogue: Catalogue {
    /// An object that is replaced faster than the collector clears up has this many former blobs at the most, so that its
    /// document stays far below the 16 MiB that MongoDB stores.
    static let maxRetiredBlobs = 1_000

    private let records: MongoCollection<CatalogueRecord>
    /// The same collection, for what is no entry alone.
    private let documents: MongoCollection<BSONDocument>

    /// Takes the database that the client is configured for; the client's owner shuts it down.
    init(client: MongoClient) {
        records = client.collection(CatalogueRecord.collection, of: CatalogueRecord.self)
        documents = client.collection(CatalogueRecord.collection, of: BSONDocument.self)
    }

    /// Makes the indexes that are missing. Idempotent; to be called at each start, by any number of workers at once, and
    /// before the first entry is put: without the unique index two workers could enter one key twice.
    func prepare(deadline: Deadline) async throws(ServiceError) {
        try await DatabaseFailure.translated {
            try await records.createIndexes(
                [
                    MongoIndex(["key": 1], isUnique: true),
                    MongoIndex(["location": 1]),
                    MongoIndex(["retired.location": 1], isSparse: true),
                    MongoIndex(["retired.since": 1], isSparse: true),
                    MongoIndex(["pendingEvents.id": 1], isSparse: true),
                    MongoIndex(["state": 1], partialFilter: ["state": "deleted"]),
                ], deadline: deadline.instant)
        }
    }

    func entry(for key: StorageKey, deadline: Deadline) async throws(ServiceError) -> CatalogueEntry? {
        try await DatabaseFailure.translated {
            try await records.findOne(["key": .string(key.description)], deadline: deadline.instant)?.entry
        }
    }

    func put(
        _ entry: CatalogueEntry, replacing seen: CatalogueEntry?, noting notes: CatalogueNotes, deadline: Deadline
    ) async throws(ServiceError) -> CatalogueChange {
        guard (seen?.retired.count ?? 0) < Self.maxRetiredBlobs else {
            throw ServiceError(
                .overloaded, "\"\(entry.key)\" has been replaced too often in a short time; try again in some minutes.")
        }
        let isPut =
            if let seen {
                try await replace(seen, with: entry, notes, deadline: deadline)
            } else {
                try await insert(entry, notes, deadline: deadline)
            }
        if isPut { return .put }
        guard let present = try await self.entry(for: entry.key, deadline: deadline) else {
            throw ServiceError(.conflict, "\"\(entry.key)\" was removed from the catalogue meanwhile; try again.")
        }
        return .found(present)
    }

    private func insert(
        _ entry: CatalogueEntry, _ notes: CatalogueNotes, deadline: Deadline
    ) async throws(ServiceError) -> Bool {
        try await DatabaseFailure.translated {
            var document = try BSONEncoder().encode(CatalogueRecord(entry))
            for (name, note) in try Self.fields(of: notes) { try document.append(name, [note]) }
            do {
                try await documents.insert(document, deadline: deadline.instant)
                return true
            } catch let error as MongoError where error.kind == .duplicateKey {
                return false
            }
        }
    }

    private func replace(
        _ seen: CatalogueEntry, with entry: CatalogueEntry, _ notes: CatalogueNotes, deadline: Deadline
    ) async throws(ServiceError) -> Bool {
        try await DatabaseFailure.translated {
            let result = try await records.updateOne(
                Self.filter(for: seen), try Self.update(to: entry, notes), deadline: deadline.instant)
            return result.matched == 1
        }
    }

    private static func filter(for entry: CatalogueEntry) -> BSONDocument {
        [
            "key": .string(entry.key.description), "version": .string(entry.version.description),
            "state": .string(entry.state.rawValue), "provider": .string(entry.provider.description),
            "location": .string(entry.location.description),
        ]
    }

    /// Sets what the entry knows, takes away what it does not, and adds what is noted; fields of other programs stay.
    private static func update(to entry: CatalogueEntry, _ notes: CatalogueNotes) throws -> BSONDocument {
        var update: BSONDocument = ["$set": .document(try BSONEncoder().encode(CatalogueRecord(entry)))]
        var absent: [(String, BSON)] = []
        if entry.contentType == nil { absent.append((CatalogueRecord.CodingKeys.contentType.rawValue, "")) }
        if entry.checksum == nil { absent.append((CatalogueRecord.CodingKeys.checksum.rawValue, "")) }
        if !absent.isEmpty { try update.append("$unset", .document(try BSONDocument(absent))) }
        let added = try fields(of: notes)
        if !added.isEmpty { try update.append("$push", .document(try BSONDocument(added))) }
        return update
    }

    /// The lists that notes are added to, and what is added.
    private static func fields(of notes: CatalogueNotes) throws -> [(String, BSON)] {
        var fields: [(String, BSON)] = []
        if let retired = notes.retired {
            fields.append(("retired", .document(try BSONEncoder().encode(RetiredRecord(retired)))))
        }
        if let event = notes.event {
            fields.append(("pendingEvents", .document(try BSONEncoder().encode(StoredEvent(event)))))
        }
        return fields
    }
}

// MARK: - Listing and clearing up

extension MongoCatalogue {
    /// More than can name the locations of one question: a place belongs to one object at a time.
    private static let maxNamingEntries = 10_000

    func entries(
        after key: StorageKey?, limit: Int, deadline: Deadline
    ) async throws(ServiceError) -> CataloguePage {
        let found = try await DatabaseFailure.translated {
            try await records.findResults(
                key.map { ["key": ["$gt": .string($0.description)]] } ?? [:], sort: ["key": 1], limit: limit,
                deadline: deadline.instant)
        }
        let entries = found.compactMap { try? $0.get().entry }
        guard found.count == limit else { return CataloguePage(entries: entries, next: nil) }
        guard let last = entries.last else {
            throw ServiceError(.internal, "A whole page of catalogue entries has a wrong shape; the log names them.")
        }
        return CataloguePage(entries: entries, next: last.key)
    }

    func entriesToClear(
        retiredBefore moment: Date, in providers: [ProviderName], limit: Int, deadline: Deadline
    ) async throws(ServiceError) -> [CatalogueEntry] {
        let names = BSON.array(providers.map { .string($0.description) })
        let old: BSONDocument = [
            "retired": ["$elemMatch": ["since": ["$lt": .date(moment)], "provider": ["$in": names]]]
        ]
        let deleted: BSONDocument = ["state": "deleted", "retired.0": ["$exists": false]]
        var found: [CatalogueEntry] = []
        // Two questions, each with its own index.
        for filter in [old, deleted] {
            found += try await DatabaseFailure.translated {
                try await records.findResults(filter, limit: limit, deadline: deadline.instant)
            }.compactMap { try? $0.get().entry }
        }
        return found
    }

    func forget(_ blob: RetiredBlob, of key: StorageKey, deadline: Deadline) async throws(ServiceError) {
        try await DatabaseFailure.translated {
            _ = try await records.updateOne(
                ["key": .string(key.description)],
                [
                    "$pull": [
                        "retired": [
                            "provider": .string(blob.provider.description), "since": .date(blob.since),
                            "location": .string(blob.location.description),
                        ]
                    ]
                ], deadline: deadline.instant)
        }
    }

    @discardableResult
    func removeDeleted(_ entry: CatalogueEntry, deadline: Deadline) async throws(ServiceError) -> Bool {
        guard entry.state == .deleted else { return false }
        return try await DatabaseFailure.translated {
            var filter = Self.filter(for: entry)
            try filter.append("retired.0", ["$exists": false])
            try filter.append("pendingEvents.0", ["$exists": false])
            return try await records.deleteOne(filter, deadline: deadline.instant) == 1
        }
    }

    func named(
        _ locations: [StorageKey], in provider: ProviderName, includingRetired: Bool, deadline: Deadline
    ) async throws(ServiceError) -> Set<StorageKey> {
        guard !locations.isEmpty else { return [] }
        let wanted = BSON.array(locations.map { .string($0.description) })
        let name = BSON.string(provider.description)
        var filters: [BSONDocument] = [["location": ["$in": wanted], "provider": name, "state": "committed"]]
        if includingRetired {
            filters.append(["retired": ["$elemMatch": ["location": ["$in": wanted], "provider": name]]])
        }
        var named: Set<StorageKey> = []
        for filter in filters {
            // One of a wrong shape is an error here: what it names must not be taken for nobody's.
            let entries = try await DatabaseFailure.translated {
                try await records.find(filter, limit: Self.maxNamingEntries, deadline: deadline.instant)
            }
            for entry in entries.map(\.entry) {
                if entry.provider == provider, entry.state == .committed { named.insert(entry.location) }
                guard includingRetired else { continue }
                named.formUnion(entry.retired.filter { $0.provider == provider }.map(\.location))
            }
        }
        return named.intersection(locations)
    }
}
