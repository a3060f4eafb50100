import Domain
import Logging
import Metrics
import Mongo
import RPC

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The metadata service over the collection `videos` of this service's own database.
///
/// It keeps no state: any number of workers may serve the same database.
struct VideoRepository: MetadataService {
    /// How long a deleted record is kept, in seconds: 30 days, longer than any upload runs, so that one which is committed
    /// after the deletion still finds that it is not wanted.
    private static let deletedRecordSeconds: Int32 = 30 * 86_400

    /// The records as commands see them.
    let commandRecords: MongoCollection<CommandRecord>
    /// Takes note of events that have been written with a fact.
    let tell: @Sendable ([PendingEvent]) -> Void
    let logger: Logger
    private let records: MongoCollection<VideoRecord>
    private let now: @Sendable () -> Date
    private let malformed: Counter

    /// Takes the database that the client is configured for.
    ///
    /// - Parameters:
    ///   - client: The owner shuts it down. It also logs each failure once, with the record's id and field where a
    ///     record has a wrong shape.
    ///   - logger: Where new records are written.
    ///   - metrics: Where records of the wrong shape are counted.
    ///   - now: The clock for `createdAt` and `updatedAt`.
    ///   - tell: Told of events once they are in the outbox, so that they are published at once.
    init(
        client: MongoClient,
        logger: Logger,
        metrics: any MetricsFactory = MetricsSystem.factory,
        now: @escaping @Sendable () -> Date = { Date() },
        tell: @escaping @Sendable ([PendingEvent]) -> Void = { _ in }
    ) {
        commandRecords = client.collection(VideoRecord.collection, of: CommandRecord.self)
        records = client.collection(VideoRecord.collection, of: VideoRecord.self)
        malformed = Counter(label: "millrace_metadata_malformed_records_total", dimensions: [], factory: metrics)
        self.logger = logger
        self.now = now
        self.tell = tell
    }

    /// Makes the indexes that are missing. Idempotent; to be called at each start, by any number of workers at once.
    ///
    /// Finding and listing need no index but the one on `_id`, which always exists. By `videoPath` the records of an
    /// object are found; it is not unique, since several records may play one object.
    func prepare(deadline: Deadline) async throws(ServiceError) {
        try await DatabaseFailure.translated {
            try await records.createIndexes(
                [
                    MongoIndex(["videoPath": 1]), VideoOutbox.index,
                    MongoIndex(["deletedAt": 1], expireAfterSeconds: Self.deletedRecordSeconds),
                ], deadline: deadline.instant)
        }
    }

    func find(_ id: VideoID, deadline: Deadline) async throws(ServiceError) -> Video {
        guard let video = try await stored(id, as: records, Self.projection, deadline: deadline)?.video else {
            throw ServiceError(.notFound, "There is no video with the id \(id).")
        }
        guard video.state != .deleted else {
            throw ServiceError(.notFound, "There is no video with the id \(id): it was deleted.")
        }
        return video
    }

    /// A page; see ``Domain/MetadataService/list(after:limit:deadline:)``.
    ///
    /// Records of the wrong shape count towards the limit although they are left out: a page may be short, even empty,
    /// and yet not be the last one. Only ``Domain/VideoPage/next`` says so. Documents whose `_id` is no ObjectId are no
    /// videos, and are not looked at.
    func list(after cursor: VideoID?, limit: Int, deadline: Deadline) async throws(ServiceError) -> VideoPage {
        guard (1...MetadataLimits.maxPageSize).contains(limit) else {
            throw ServiceError(
                .invalidArgument, "limit has to be from 1 to \(MetadataLimits.maxPageSize), not \(limit).")
        }
        let filter = try Self.filter(after: cursor)
        let found = try await DatabaseFailure.translated {
            // One more than asked for tells whether there is another page.
            try await records.findResults(
                filter, sort: ["_id": 1], limit: limit + 1, projection: Self.projection, deadline: deadline.instant)
        }
        let page = found.prefix(limit)
        let videos = page.compactMap { try? $0.get().video }
        if videos.count < page.count { malformed.increment(by: page.count - videos.count) }
        guard found.count > limit else { return VideoPage(videos: videos, next: nil) }
        guard let next = page.reversed().lazy.compactMap(Self.id).first else {
            throw ServiceError(.internal, "The records after \(cursor?.description ?? "the start") cannot be read.")
        }
        return VideoPage(videos: videos, next: next)
    }

    func create(_ video: NewVideo, deadline: Deadline) async throws(ServiceError) -> Video {
        try VideoRules.check(video)
        guard let id = video.id ?? VideoID(ObjectID().description) else {
            throw ServiceError(.internal, "No id could be made for the video.")
        }
        let time = moment()
        let created = Video(
            id: id, videoPath: video.videoPath, title: video.title, description: video.description,
            contentType: video.contentType, state: video.awaitsUpload ? .awaitingUpload : .ready, createdAt: time,
            updatedAt: time, revision: 1)
        do {
            try await DatabaseFailure.translated {
                _ = try await records.insert(VideoRecord(created), deadline: deadline.instant)
            }
        } catch {
            guard error.code == .conflict, video.id != nil else { throw error }
            return try await present(video, id: id, deadline: deadline, otherwise: error)
        }
        logger.info("created a video", metadata: ["id": "\(id)"])
        return created
    }

    /// The record that already has the id, when it has the same facts: then the call is a repetition.
    private func present(
        _ video: NewVideo,
        id: VideoID,
        deadline: Deadline,
        otherwise conflict: ServiceError
    ) async throws(ServiceError) -> Video {
        guard let present = try await stored(id, as: records, Self.projection, deadline: deadline)?.video,
            present.hasFacts(of: video)
        else { throw conflict }
        return present
    }

    /// The time now, as the database keeps it, in whole milliseconds: so an answer is what a later find gives.
    func moment() -> Date {
        let milliseconds = (now().timeIntervalSince1970 * 1_000).rounded(.down)
        return Date(timeIntervalSince1970: milliseconds / 1_000)
    }

    /// The record that has the id, in the form of that collection.
    func stored<Record: Codable & Sendable>(
        _ id: VideoID, as records: MongoCollection<Record>, _ projection: BSONDocument, deadline: Deadline
    ) async throws(ServiceError) -> Record? {
        guard let objectID = ObjectID(id.description) else {
            throw ServiceError(.invalidArgument, "\(id) is no video id; it has 24 hexadecimal digits.")
        }
        return try await DatabaseFailure.translated {
            do {
                return try await records.findOne(
                    ["_id": .objectID(objectID)], projection: projection, deadline: deadline.instant)
            } catch let error as MongoError where error.kind == .malformedDocument {
                malformed.increment()
                throw error
            }
        }
    }

    /// Only the fields that are read: what else other programs keep in a record is not transported.
    private static let projection = BSONDocument(
        dictionaryLiteral: ("videoPath", 1), ("title", 1), ("description", 1), ("contentType", 1), ("state", 1),
        ("content", 1), ("createdAt", 1), ("updatedAt", 1), ("revision", 1))

    /// The same for a command, and what it has to remember.
    static let commandProjection = BSONDocument(
        dictionaryLiteral: ("videoPath", 1), ("title", 1), ("description", 1), ("contentType", 1), ("state", 1),
        ("content", 1), ("createdAt", 1), ("updatedAt", 1), ("revision", 1), ("commands", 1))

    /// A comparison with an ObjectId is true for ObjectIds only, so other ids never come.
    private static func filter(after cursor: VideoID?) throws(ServiceError) -> BSONDocument {
        guard let cursor else {
            guard let lowest = ObjectID(bytes: [UInt8](repeating: 0, count: 12)) else { return [:] }
            return ["_id": ["$gte": .objectID(lowest)], "state": isNotDeleted]
        }
        guard let id = ObjectID(cursor.description) else {
            throw ServiceError(.invalidArgument, "The cursor \(cursor) is no video id.")
        }
        return ["_id": ["$gt": .objectID(id)], "state": isNotDeleted]
    }

    private static var isNotDeleted: BSON { ["$ne": .string(Video.State.deleted.rawValue)] }

    private static func id(of result: Result<VideoRecord, MongoError>) -> VideoID? {
        switch result {
        case .success(let record): record.video.id
        case .failure(let error): error.documentID?.objectIDValue.flatMap { VideoID($0.description) }
        }
    }
}

extension Video {
    /// Whether the record says what a caller wanted to create.
    fileprivate func hasFacts(of video: NewVideo) -> Bool {
        state != .deleted && videoPath.utf8.elementsEqual(video.videoPath.utf8) && title == video.title
            && description == video.description && contentType == video.contentType
    }
}
