import Domain
import FoundationEssentials
import Logging
import Mongo
import Synchronization
import Testing

@testable import VideoMetadata

/// The repository against a real server.
@Suite(.timeLimit(.minutes(1))) struct VideoMetadataDatabaseTests {
    private func withRepository(_ body: (VideoRepository, MongoCollection<BSONDocument>) async throws -> Void)
        async throws
    {
        try await MongoFixture.withClient { client in
            let repository = VideoRepository(client: client, logger: MongoFixture.logger)
            try await repository.prepare(deadline: .soon)
            try await body(repository, client.collection("videos", of: BSONDocument.self))
        }
    }

    @Test func recordOfIdAndPathByAnyClientIsFoundAndListed() async throws {
        try await withRepository { repository, collection in
            let id = ObjectID()
            try await collection.insert(["_id": .objectID(id), "videoPath": "film.mp4"], deadline: .soon)
            let video = try await repository.find(try #require(VideoID(id.description)), deadline: .soon)
            #expect(video.videoPath == "film.mp4" && video.state == .ready && video.revision == 0)
            let page = try await repository.list(after: nil, limit: 10, deadline: .soon)
            #expect(page == VideoPage(videos: [video], next: nil))
        }
    }

    @Test func unknownIdIsNotFound() async throws {
        try await withRepository { repository, _ in
            let id = try #require(VideoID("5ea234a1c34230004592eb32"))
            let error = await #expect(throws: ServiceError.self) { try await repository.find(id, deadline: .soon) }
            #expect(error?.code == .notFound)
            #expect(error?.message.contains(id.description) == true)
        }
    }

    @Test func createdVideoIsFoundAsItWasAnswered() async throws {
        try await withRepository { repository, _ in
            let created = try await repository.create(
                NewVideo(videoPath: "film.mp4", title: "Weir", contentType: "video/mp4"), deadline: .soon)
            #expect(created.revision == 1 && created.createdAt != nil && created.createdAt == created.updatedAt)
            #expect(try await repository.find(created.id, deadline: .soon) == created)
        }
    }

    @Test func creationWithAnIdIsIdempotentAndOtherFactsAreAConflict() async throws {
        try await withRepository { repository, _ in
            let id = try #require(VideoID(ObjectID().description))
            let first = try await repository.create(
                NewVideo(id: id, videoPath: "film.mp4", title: "a"), deadline: .soon)
            let second = try await repository.create(
                NewVideo(id: id, videoPath: "film.mp4", title: "a"), deadline: .soon)
            #expect(first == second)
            let error = await #expect(throws: ServiceError.self) {
                try await repository.create(NewVideo(id: id, videoPath: "film.mp4", title: "b"), deadline: .soon)
            }
            #expect(error?.code == .conflict)
            #expect(try await repository.find(id, deadline: .soon).title == "a")
        }
    }

    @Test func fiftyCreationsOfOneIdAtOnceMakeOneRecord() async throws {
        try await withRepository { repository, collection in
            let id = try #require(VideoID(ObjectID().description))
            let videos = try await withThrowingTaskGroup(of: Video.self) { group in
                for _ in 0..<50 {
                    group.addTask {
                        try await repository.create(NewVideo(id: id, videoPath: "film.mp4"), deadline: .soon)
                    }
                }
                return try await group.reduce(into: [Video]()) { $0.append($1) }
            }
            #expect(videos.count == 50 && videos.allSatisfy { $0 == videos[0] })
            #expect(try await collection.count(deadline: .soon) == 1)
        }
    }

    @Test func refusedVideoLeavesNothingBehind() async throws {
        try await withRepository { repository, collection in
            let error = await #expect(throws: ServiceError.self) {
                try await repository.create(NewVideo(videoPath: "../secret"), deadline: .soon)
            }
            #expect(error?.code == .invalidArgument)
            let count = try await collection.count(deadline: .soon)
            #expect(count == 0)
        }
    }

    @Test func recordOfTheWrongShapeIsInternalAndLoggedWithIdAndField() async throws {
        try await MongoFixture.withClient { writer in
            let id = ObjectID()
            let collection = writer.collection("videos", of: BSONDocument.self)
            try await collection.insert(["_id": .objectID(id), "videoPath": 5], deadline: .soon)
            let lines = LineLog()
            let client = try MongoClient(
                configuration: MongoConfiguration(uri: try MongoFixture.uri(), database: writer.database),
                logger: lines.logger)
            let repository = VideoRepository(client: client, logger: lines.logger)
            let error = await #expect(throws: ServiceError.self) {
                try await repository.find(try #require(VideoID(id.description)), deadline: .soon)
            }
            #expect(error?.code == .internal)
            #expect(error?.message.contains("The record \(id) has a wrong shape") == true)
            #expect(lines.all.count { $0.contains("id=\(id)") && $0.contains("field=videoPath") } == 1)
            let other = try await repository.create(NewVideo(videoPath: "film.mp4"), deadline: .soon)
            #expect(try await repository.find(other.id, deadline: .soon) == other)
            await client.shutdown()
        }
    }

    /// Every tenth record is of the wrong shape, and some ids are no ObjectIds: each good one comes once, in order.
    @Test(arguments: [1, 3, 7, 100, 200])
    func pagesGiveEachGoodRecordOnce(limit: Int) async throws {
        try await withRepository { repository, collection in
            var good: [String] = []
            var documents: [BSONDocument] = [
                ["_id": 5, "videoPath": "number.mp4"], ["_id": "text", "videoPath": "text.mp4"],
                ["_id": ["a": 1], "videoPath": "document.mp4"],
            ]
            for number in 0..<57 {
                let id = ObjectID()
                if number % 10 == 9 {
                    documents.append(["_id": .objectID(id), "title": "no path"])
                } else {
                    documents.append(["_id": .objectID(id), "videoPath": "film.mp4"])
                    good.append(id.description)
                }
            }
            try await collection.insert(contentsOf: documents.shuffled(), deadline: .soon)
            var listed: [String] = []
            var cursor: VideoID?
            var pages = 0
            repeat {
                let page = try await repository.list(after: cursor, limit: limit, deadline: .soon)
                listed += page.videos.map(\.id.description)
                cursor = page.next
                pages += 1
            } while cursor != nil && pages < 100
            #expect(listed == good)
            #expect(pages == (57 + limit - 1) / limit)
        }
    }

    @Test(arguments: [0, -1, 201])
    func limitOutOfBoundsIsAnInvalidArgument(limit: Int) async throws {
        try await withRepository { repository, _ in
            let error = await #expect(throws: ServiceError.self) {
                try await repository.list(after: nil, limit: limit, deadline: .soon)
            }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test func fieldsOfOtherProgramsAreNotTransported() async throws {
        try await withRepository { repository, collection in
            let blob = BSON.string(String(repeating: "x", count: 1_000_000))
            for _ in 0..<40 {
                try await collection.insert(["videoPath": "film.mp4", "thumbnail": blob], deadline: .soon)
            }
            #expect(try await repository.list(after: nil, limit: 200, deadline: .soon).videos.count == 40)
        }
    }

    @Test func indexesAreMadeAndMayBeMadeAgain() async throws {
        try await MongoFixture.withClient { client in
            let repository = VideoRepository(client: client, logger: MongoFixture.logger)
            try await repository.prepare(deadline: .soon)
            try await repository.prepare(deadline: .soon)
            let reply = try await client.runCommand(["listIndexes": "videos"], deadline: .soon)
            let indexes = reply["cursor"]?.documentValue?["firstBatch"]?.arrayValue ?? []
            #expect(indexes.contains { $0.documentValue?["key"]?.documentValue == ["videoPath": 1] })
        }
    }

    @Test func databaseThatIsGoneIsUnavailableAndOnePastTheDeadlineSaysSo() async throws {
        let id = try #require(VideoID(ObjectID().description))
        try await MongoFixture.withClient { client in
            let repository = VideoRepository(client: client, logger: MongoFixture.logger)
            try await repository.prepare(deadline: .soon)
            let late = await #expect(throws: ServiceError.self) {
                try await repository.find(id, deadline: .after(.zero))
            }
            #expect(late?.code == .deadlineExceeded)
        }
        var configuration = MongoConfiguration(uri: "mongodb://127.0.0.1:1", database: "nowhere")
        configuration.serverSelectionTimeoutMilliseconds = 200
        let client = try MongoClient(configuration: configuration, logger: MongoFixture.logger)
        let repository = VideoRepository(client: client, logger: MongoFixture.logger)
        let gone = await #expect(throws: ServiceError.self) { try await repository.find(id, deadline: .soon) }
        #expect(gone?.code == .unavailable)
        await client.shutdown()
    }
}

/// Keeps log lines, with their metadata.
private final class LineLog: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    var logger: Logger {
        Logger(label: "test") { _ in Handler(log: self) }
    }

    private struct Handler: LogHandler {
        let log: LineLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let facts = (event.metadata ?? [:]).map { "\($0.key)=\($0.value)" }.sorted()
            log.lines.withLock { $0.append("\(event.level): \(event.message) \(facts.joined(separator: " "))") }
        }
    }
}

extension Deadline {
    /// Long enough for any test on a busy machine.
    fileprivate static var soon: Deadline { .after(.seconds(30)) }
}
