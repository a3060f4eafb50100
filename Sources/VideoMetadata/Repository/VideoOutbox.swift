import Domain
import Mongo
import RPC

/// The events that the metadata service has yet to tell: the field `pendingEvents` of the records, written in the same
/// update as the fact.
///
/// How many there are is bounded by the commands that make them, and those come through the broker: while it takes no events,
/// it brings no commands.
struct VideoOutbox: Outbox {
    /// The field that holds them.
    static let field = "pendingEvents"

    private struct Holder: Codable, Sendable {
        enum CodingKeys: String, CodingKey {
            case id = "_id"
            case pendingEvents
        }

        var id: ObjectID
        var pendingEvents: [StoredEvent]
    }

    private let holders: MongoCollection<Holder>

    /// Takes the database that the client is configured for.
    init(client: MongoClient) {
        holders = client.collection(VideoRecord.collection, of: Holder.self)
    }

    /// Only records that hold events are in it: almost always none.
    static var index: MongoIndex {
        MongoIndex(["pendingEvents.id": 1], partialFilter: isWaiting)
    }

    private static var isWaiting: BSONDocument { ["pendingEvents.id": ["$exists": true]] }

    func pendingEvents(limit: Int, deadline: Deadline) async throws(ServiceError) -> [PendingEvent] {
        let found = try await DatabaseFailure.translated {
            try await holders.findResults(
                Self.isWaiting, limit: limit, projection: ["pendingEvents": 1], deadline: deadline.instant)
        }
        let events = found.compactMap { try? $0.get() }.flatMap { holder in
            holder.pendingEvents.map { PendingEvent($0.event, holder: holder.id.description) }
        }
        return Array(events.prefix(limit))
    }

    func remove(_ event: PendingEvent, deadline: Deadline) async throws(ServiceError) {
        guard let holder = ObjectID(event.holder) else { return }
        try await DatabaseFailure.translated {
            _ = try await holders.updateOne(
                ["_id": .objectID(holder)], ["$pull": ["pendingEvents": ["id": .string(event.event.id)]]],
                deadline: deadline.instant)
        }
    }
}
