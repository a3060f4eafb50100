import Domain
import Mongo

/// The catalogue in the collection `objects` of this service's own database, shared by all its workers.
///
/// A unique index on the key makes the first entry of several the only one; a change compares the version that it replaces
/// in the same update. Both are atomic on a standalone server as on a replica set.
struct MongoCatalogue: Catalogue {
    private let records: MongoCollection<CatalogueRecord>

    /// Takes the database that the client is configured for; the client's owner shuts it down.
    init(client: MongoClient) {
        records = client.collection(CatalogueRecord.collection, of: CatalogueRecord.self)
    }

    /// Makes the indexes that are missing. Idempotent; to be called at each start, by any number of workers at once, and
    /// before the first entry is put: without the unique index two workers could enter one key twice.
    func prepare(deadline: Deadline) async throws(ServiceError) {
        try await DatabaseFailure.translated {
            try await records.createIndexes([MongoIndex(["key": 1], isUnique: true)], deadline: deadline.instant)
        }
    }

    func entry(for key: StorageKey, deadline: Deadline) async throws(ServiceError) -> CatalogueEntry? {
        try await DatabaseFailure.translated {
            try await records.findOne(["key": .string(key.description)], deadline: deadline.instant)?.entry
        }
    }

    func put(
        _ entry: CatalogueEntry,
        replacing version: ObjectVersion?,
        deadline: Deadline
    ) async throws(ServiceError) -> CatalogueChange {
        let isPut =
            if let version {
                try await replace(version, with: entry, deadline: deadline)
            } else {
                try await insert(entry, deadline: deadline)
            }
        if isPut { return .put }
        guard let present = try await self.entry(for: entry.key, deadline: deadline) else {
            throw ServiceError(.conflict, "\"\(entry.key)\" was removed from the catalogue meanwhile; try again.")
        }
        return .found(present)
    }

    private func insert(_ entry: CatalogueEntry, deadline: Deadline) async throws(ServiceError) -> Bool {
        try await DatabaseFailure.translated {
            do {
                try await records.insert(CatalogueRecord(entry), deadline: deadline.instant)
                return true
            } catch let error as MongoError where error.kind == .duplicateKey {
                return false
            }
        }
    }

    private func replace(
        _ version: ObjectVersion,
        with entry: CatalogueEntry,
        deadline: Deadline
    ) async throws(ServiceError) -> Bool {
        try await DatabaseFailure.translated {
            let result = try await records.updateOne(
                ["key": .string(entry.key.description), "version": .string(version.description)],
                try Self.update(to: entry), deadline: deadline.instant)
            return result.matched == 1
        }
    }

    /// Sets what the entry knows and takes away what it does not; fields of other programs stay.
    private static func update(to entry: CatalogueEntry) throws -> BSONDocument {
        var update: BSONDocument = ["$set": .document(try BSONEncoder().encode(CatalogueRecord(entry)))]
        var absent: [(String, BSON)] = []
        if entry.contentType == nil { absent.append((CatalogueRecord.CodingKeys.contentType.rawValue, "")) }
        if entry.checksum == nil { absent.append((CatalogueRecord.CodingKeys.checksum.rawValue, "")) }
        if !absent.isEmpty { try update.append("$unset", .document(try BSONDocument(absent))) }
        return update
    }
}
