import Contracts
import Domain
import Logging
import Mongo
import RPC

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

// Commands: what changes a record that is there. Each reads the record, decides, and writes with one update that compares
// the revision it has read; when another was quicker it begins anew. The same update keeps the command's answer and the
// event that tells it, so that all three are there or none.
extension VideoRepository {
    /// What a command makes of a record.
    private struct Decision {
        /// The record afterwards.
        var video: Video
        /// What is told: made of the record as it is then, with its revision and its time.
        var event: (_ changed: Video) throws(ServiceError) -> Event
    }

    /// How often a command begins anew because another was quicker. Whoever loses that often is told to come again later.
    private static let maxAttempts = 20

    func update(
        _ id: VideoID, _ change: VideoChange, revision: Int64?, command: CommandID, deadline: Deadline
    ) async throws(ServiceError) -> Video {
        try VideoRules.check(change)
        let done = try await carryOut(command, on: id, revision: revision, deadline: deadline) { video in
            Decision(video: change.applied(to: video), event: Self.updated)
        }
        guard let video = done.video?.video else {
            throw ServiceError(.conflict, "The command \(command) was another one; choose another id for it.")
        }
        return video
    }

    func delete(
        _ id: VideoID, revision: Int64?, command: CommandID, deadline: Deadline
    ) async throws(ServiceError) {
        let done = try await carryOut(command, on: id, revision: revision, deadline: deadline) { video in
            var deleted = video
            deleted.state = .deleted
            return Decision(video: deleted) { (changed) throws(ServiceError) in
                try Self.deleted(changed, with: changed.content?.version)
            }
        }
        guard done.video == nil else {
            throw ServiceError(.conflict, "The command \(command) was another one; choose another id for it.")
        }
        logger.info("deleted a video", metadata: ["id": "\(id)"])
    }

    func contentCommitted(_ content: CommittedContent, deadline: Deadline) async throws(ServiceError) -> [Video] {
        var videos: [Video] = []
        var last: BSON = .minKey
        while true {
            let filter: BSONDocument = ["videoPath": .string(content.key.description), "_id": ["$gt": last]]
            let found = try await DatabaseFailure.translated {
                try await commandRecords.findResults(
                    filter, sort: ["_id": 1], limit: MetadataLimits.maxPageSize, projection: Self.commandProjection,
                    deadline: deadline.instant)
            }
            for record in found.compactMap({ try? $0.get() }) {
                let video = try await take(content.content, by: record, deadline: deadline)
                if let video { videos.append(video) }
            }
            // Records of a wrong shape are passed over; one whose id is none ends it.
            guard found.count == MetadataLimits.maxPageSize, let next = found.last.flatMap(Self.documentID) else {
                return Array(videos.prefix(MetadataLimits.maxPageSize))
            }
            last = next
        }
    }

    private static func documentID(of result: Result<CommandRecord, MongoError>) -> BSON? {
        switch result {
        case .success(let record): ObjectID(record.video.id.description).map { .objectID($0) }
        case .failure(let error): error.documentID
        }
    }

    /// - Returns: The record as it is now; `nil` when it is deleted or gone.
    private func take(
        _ content: VideoContent, by record: CommandRecord, deadline: Deadline
    ) async throws(ServiceError) -> Video? {
        let id = record.video.id
        var record: CommandRecord? = record
        for _ in 0..<Self.maxAttempts {
            guard let present = record else { return nil }
            guard let decision = Self.decision(on: content, for: present.video) else { return present.video }
            let written = try await write(decision, over: present, remembering: nil, deadline: deadline)
            if let written { return written.state == .deleted ? nil : written }
            record = try await stored(id, as: commandRecords, Self.commandProjection, deadline: deadline)
        }
        throw ServiceError(.overloaded, "The record \(id) is being changed all the time; try again later.")
    }

    private static func decision(on content: VideoContent, for video: Video) -> Decision? {
        if video.state == .deleted {
            return Decision(video: video) { (changed) throws(ServiceError) in
                try Self.deleted(changed, with: content.version)
            }
        }
        guard let taken = video.taking(content) else { return nil }
        return Decision(video: taken, event: Self.updated)
    }

    private static func updated(_ video: Video) throws(ServiceError) -> Event {
        try VideoUpdated(id: video.id).event(revision: video.revision)
    }

    /// Whether another video plays the bytes is looked at when it is told, by ``DeletionTeller``.
    private static func deleted(_ video: Video, with version: ObjectVersion?) throws(ServiceError) -> Event {
        try VideoDeleted(
            id: video.id, videoPath: video.videoPath, version: version, deletedAt: video.updatedAt
        ).event(revision: video.revision)
    }

    private func carryOut(
        _ command: CommandID, on id: VideoID, revision: Int64?, deadline: Deadline, _ decide: (Video) -> Decision
    ) async throws(ServiceError) -> CommandRecord.Done {
        for _ in 0..<Self.maxAttempts {
            guard let record = try await stored(id, as: commandRecords, Self.commandProjection, deadline: deadline)
            else {
                throw ServiceError(.notFound, "There is no video with the id \(id).")
            }
            if let done = record.answer(to: command) { return done }
            guard record.video.state != .deleted else {
                throw ServiceError(.notFound, "There is no video with the id \(id): it was deleted.")
            }
            if let revision, revision != record.video.revision {
                throw ServiceError(
                    .conflict, "The record \(id) has the revision \(record.video.revision) by now, not \(revision).")
            }
            let decision = decide(record.video)
            let written = try await write(decision, over: record, remembering: command, deadline: deadline)
            if let written { return CommandRecord.Done(command, written) }
        }
        throw ServiceError(.overloaded, "The record \(id) is being changed all the time; try again later.")
    }

    /// - Returns: The record as it is now; `nil` when it had changed since it was read.
    private func write(
        _ decision: Decision, over record: CommandRecord, remembering command: CommandID?, deadline: Deadline
    ) async throws(ServiceError) -> Video? {
        var video = decision.video
        video.revision = record.video.revision + 1
        video.updatedAt = moment()
        let event = try decision.event(video)
        let pending = PendingEvent(event, holder: video.id.description)
        let isWritten = try await DatabaseFailure.translated {
            let filter = try Self.filter(exactly: record.video)
            let update = try Self.update(from: record.video, to: video, event, command)
            return try await commandRecords.updateOne(filter, update, deadline: deadline.instant).matched == 1
        }
        guard isWritten else { return nil }
        tell([pending])
        return video
    }

    /// A record that another program put there has no revision, which counts as 0.
    private static func filter(exactly video: Video) throws -> BSONDocument {
        guard let id = ObjectID(video.id.description) else {
            throw ServiceError(.internal, "\(video.id) is no ObjectId.")
        }
        let revision: BSON =
            video.revision == 0 ? ["$in": [0, nil]] : .int64(video.revision)
        return ["_id": .objectID(id), "revision": revision]
    }

    /// Writes what differs and no more: another program may have changed the rest.
    private static func update(
        from old: Video, to new: Video, _ event: Event, _ command: CommandID?
    ) throws -> BSONDocument {
        let encoder = BSONEncoder()
        let (before, after) = (try encoder.encode(VideoRecord(old)), try encoder.encode(VideoRecord(new)))
        let changed = after.filter { before[$0.name] != $0.value }
        let removed = before.names.filter { after[$0] == nil }
        var set = try BSONDocument(changed.map { ($0.name, $0.value) })
        if new.state == .deleted, old.state != .deleted, let time = new.updatedAt {
            try set.append("deletedAt", .date(time))
        }
        let events: [BSON] = [.document(try encoder.encode(StoredEvent(event)))]
        var push: BSONDocument = [:]
        try push.append(VideoOutbox.field, ["$each": .array(events)])
        if let command {
            let done: [BSON] = [.document(try encoder.encode(CommandRecord.Done(command, new)))]
            try push.append(
                "commands",
                ["$each": .array(done), "$slice": .int32(-Int32(MetadataLimits.maxRememberedCommands))])
        }
        var update: BSONDocument = ["$set": .document(set), "$push": .document(push)]
        if !removed.isEmpty {
            try update.append("$unset", .document(BSONDocument(removed.map { ($0, BSON.string("")) })))
        }
        return update
    }
}

extension CommandRecord.Done {
    /// The answer to a command that made a record what it is.
    fileprivate init(_ command: CommandID, _ video: Video) {
        self.init(id: command.description, video: video.state == .deleted ? nil : VideoRecord(video))
    }
}
