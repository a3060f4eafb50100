import Contracts
import Domain
import Mongo
import RPC

/// Tells events; of a deleted video it tells the storage key only when no other video plays the same object.
///
/// The look comes after the deletion has been written, never before. So of several deletions of records with one
/// `videoPath`, at whatever workers, the last one at the least finds none that plays it: the bytes are neither deleted under a
/// video that is there, nor left behind. A worker that dies in between leaves the event in the outbox, and whoever tells it
/// looks anew.
///
/// Not guaranteed: that a record which is made after the look, for a video whose bytes were deleted with it, finds them.
struct DeletionTeller: EventPublishing {
    private let publisher: any EventPublishing
    private let records: MongoCollection<BSONDocument>

    /// Takes the database that the client is configured for, and what tells events.
    init(client: MongoClient, publisher: any EventPublishing) {
        records = client.collection(VideoRecord.collection, of: BSONDocument.self)
        self.publisher = publisher
    }

    func publish(_ event: Event, needsListener: Bool, deadline: Deadline) async throws(ServiceError) {
        var event = event
        if event.name == MetadataEvents.videoDeleted {
            let deleted = try VideoDeleted(event)
            if let path = deleted.videoPath, try await isPlayed(path, deadline: deadline) {
                event = try deleted.keepingBytes.event(id: event.id)
            }
        }
        try await publisher.publish(event, needsListener: needsListener, deadline: deadline)
    }

    /// Whether a record that is not deleted names this object. One of a wrong shape counts: it will be mended.
    private func isPlayed(_ path: String, deadline: Deadline) async throws(ServiceError) -> Bool {
        try await DatabaseFailure.translated {
            let found = try await records.findOne(
                ["videoPath": .string(path), "state": ["$ne": .string(Video.State.deleted.rawValue)]],
                projection: ["_id": 1], deadline: deadline.instant)
            return found != nil
        }
    }
}
