import Domain
import Mongo
import RPC

/// The events that wait in the entries of their facts.
struct MongoOutbox: Outbox {
    /// An entry with the events that wait in it; one of a wrong shape is passed over.
    private struct Holder: Codable, Sendable {
        let key: String
        let pendingEvents: [StoredEvent]
    }

    private let holders: MongoCollection<Holder>

    /// Takes the database that the client is configured for; the client's owner shuts it down.
    init(client: MongoClient) {
        holders = client.collection(CatalogueRecord.collection, of: Holder.self)
    }

    func pendingEvents(limit: Int, deadline: Deadline) async throws(ServiceError) -> [PendingEvent] {
        try await DatabaseFailure.translated {
            let found = try await holders.findResults(
                ["pendingEvents.id": ["$exists": true]], limit: limit, projection: ["key": 1, "pendingEvents": 1],
                deadline: deadline.instant)
            let events = found.compactMap { try? $0.get() }.flatMap { holder in
                holder.pendingEvents.map { PendingEvent($0.event, holder: holder.key) }
            }
            return Array(events.prefix(limit))
        }
    }

    func remove(_ event: PendingEvent, deadline: Deadline) async throws(ServiceError) {
        try await DatabaseFailure.translated {
            _ = try await holders.updateOne(
                ["key": .string(event.holder)], ["$pull": ["pendingEvents": ["id": .string(event.event.id)]]],
                deadline: deadline.instant)
        }
    }
}
