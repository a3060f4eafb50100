import Domain
import Mongo

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The uploads in the collection `uploads` of this service's own database, shared by all its workers.
struct MongoUploads: UploadRegister {
    private let records: MongoCollection<UploadRecord>

    /// Takes the database that the client is configured for; the client's owner shuts it down.
    init(client: MongoClient) {
        records = client.collection(UploadRecord.collection, of: UploadRecord.self)
    }

    /// Makes the indexes that are missing. Idempotent; to be called at each start.
    func prepare(deadline: Deadline) async throws(ServiceError) {
        try await DatabaseFailure.translated {
            try await records.createIndexes(
                [MongoIndex(["state": 1, "touchedAt": 1]), MongoIndex(["location": 1])], deadline: deadline.instant)
        }
    }

    func enter(_ upload: Upload, deadline: Deadline) async throws(ServiceError) -> Upload? {
        let isEntered = try await DatabaseFailure.translated {
            do {
                try await records.insert(UploadRecord(upload), deadline: deadline.instant)
                return true
            } catch let error as MongoError where error.kind == .duplicateKey {
                return false
            }
        }
        guard !isEntered else { return nil }
        guard let present = try await self.upload(upload.id, deadline: deadline) else {
            throw ServiceError(.conflict, "The upload \(upload.id) is over; begin one with a new id.")
        }
        return present
    }

    func upload(_ id: UploadID, deadline: Deadline) async throws(ServiceError) -> Upload? {
        try await DatabaseFailure.translated {
            try await records.findOne(["_id": .string(id.description)], deadline: deadline.instant)?.upload
        }
    }

    func advance(
        _ id: UploadID, from states: [Upload.State], to state: Upload.State, content: Upload.Content?, at moment: Date,
        deadline: Deadline
    ) async throws(ServiceError) -> Bool {
        try await DatabaseFailure.translated {
            var fields: BSONDocument = ["state": .string(state.rawValue), "touchedAt": .date(moment)]
            if let content {
                try fields.append("size", .int64(content.size))
                try fields.append("checksum", .string(content.checksum))
                try fields.append("committedAt", .date(content.committedAt))
            }
            let result = try await records.updateOne(
                ["_id": .string(id.description), "state": ["$in": Self.names(states)]], ["$set": .document(fields)],
                deadline: deadline.instant)
            return result.matched == 1
        }
    }

    func touch(
        _ id: UploadID, at moment: Date, copiedBytes: Int64?, deadline: Deadline
    ) async throws(ServiceError) {
        try await DatabaseFailure.translated {
            var fields: BSONDocument = ["touchedAt": .date(moment)]
            if let copiedBytes { try fields.append("copiedBytes", .int64(copiedBytes)) }
            _ = try await records.updateOne(
                ["_id": .string(id.description)], ["$max": .document(fields)], deadline: deadline.instant)
        }
    }

    func moves(limit: Int, deadline: Deadline) async throws(ServiceError) -> [Upload] {
        try await DatabaseFailure.translated {
            try await records.findResults(
                ["state": "open", "purpose": .string(Upload.Purpose.move.rawValue)], limit: limit,
                deadline: deadline.instant
            ).compactMap { try? $0.get().upload }
        }
    }

    func uploads(
        in states: [Upload.State], of providers: [ProviderName], touchedBefore moment: Date, limit: Int,
        deadline: Deadline
    ) async throws(ServiceError) -> [Upload] {
        try await DatabaseFailure.translated {
            try await records.findResults(
                [
                    "state": ["$in": Self.names(states)], "touchedAt": ["$lt": .date(moment)],
                    "provider": ["$in": .array(providers.map { .string($0.description) })],
                ], sort: ["touchedAt": 1], limit: limit, deadline: deadline.instant
            ).compactMap { try? $0.get().upload }
        }
    }

    func remove(_ id: UploadID, in state: Upload.State, deadline: Deadline) async throws(ServiceError) {
        try await DatabaseFailure.translated {
            _ = try await records.deleteOne(
                ["_id": .string(id.description), "state": .string(state.rawValue)], deadline: deadline.instant)
        }
    }

    func named(
        _ locations: [StorageKey], in provider: ProviderName, deadline: Deadline
    ) async throws(ServiceError) -> Set<StorageKey> {
        guard !locations.isEmpty else { return [] }
        let found = try await DatabaseFailure.translated {
            // A location has the id of its one upload in it, so there are no more documents than locations.
            try await records.find(
                [
                    "location": ["$in": .array(locations.map { .string($0.description) })],
                    "provider": .string(provider.description),
                ], limit: locations.count + 1, deadline: deadline.instant)
        }
        return Set(found.map(\.upload.location)).intersection(locations)
    }

    private static func names(_ states: [Upload.State]) -> BSON {
        .array(states.map { .string($0.rawValue) })
    }
}
