import Contracts
import Domain
import FoundationEssentials
import Mongo
import RPC
import Testing

@testable import VideoMetadata

/// Changes of records against a real server.
@Suite(.timeLimit(.minutes(1))) struct VideoCommandTests {
    private struct Stack {
        var repository: VideoRepository
        var outbox: VideoOutbox
        var collection: MongoCollection<BSONDocument>
        var told: Collected<PendingEvent>

        func document(_ id: VideoID) async throws -> BSONDocument {
            let objectID = try #require(ObjectID(id.description))
            return try #require(try await collection.findOne(["_id": .objectID(objectID)], deadline: .soon))
        }

        func waiting() async throws -> [Event] {
            try await outbox.pendingEvents(limit: 100, deadline: .soon).map(\.event)
        }
    }

    private func withStack(_ body: (Stack) async throws -> Void) async throws {
        try await MongoFixture.withClient { client in
            let told = Collected<PendingEvent>()
            let repository = VideoRepository(
                client: client, logger: MongoFixture.logger, tell: { events in for event in events { told.add(event) } }
            )
            try await repository.prepare(deadline: .soon)
            let collection = client.collection("videos", of: BSONDocument.self)
            try await body(
                Stack(repository: repository, outbox: VideoOutbox(client: client), collection: collection, told: told))
        }
    }

    private func code(_ call: () async throws(ServiceError) -> Void) async -> ServiceError.Code? {
        do throws(ServiceError) {
            try await call()
            return nil
        } catch {
            return error.code
        }
    }

    private func content(_ version: String, _ path: String, at seconds: Double) throws -> CommittedContent {
        CommittedContent(
            key: try StorageKey(path),
            content: VideoContent(
                version: try #require(ObjectVersion(version)), size: 5, contentType: "video/mp4",
                committedAt: Date(timeIntervalSince1970: seconds)))
    }

    @Test func anUpdateIsFoundAsItWasAnsweredAndIsTold() async throws {
        try await withStack { stack in
            let made = try await stack.repository.create(
                NewVideo(videoPath: "film.mp4", title: "Weir", description: "Water"), deadline: .soon)
            let changed = try await stack.repository.update(
                made.id, VideoChange(title: .set("Mill"), description: .remove), revision: 1, command: .random(),
                deadline: .soon)
            #expect(changed.title == "Mill" && changed.description == nil && changed.revision == 2)
            #expect(try await stack.repository.find(made.id, deadline: .soon) == changed)
            #expect(try await stack.document(made.id)["description"] == nil)
            let event = try VideoUpdated(id: made.id).event(revision: 2)
            #expect(try await stack.waiting() == [event])
            #expect(stack.told.all == [PendingEvent(event, holder: made.id.description)])
        }
    }

    @Test func aCommandThatIsGivenAgainIsDoneOnceAndAnswersTheSame() async throws {
        try await withStack { stack in
            let made = try await stack.repository.create(NewVideo(videoPath: "film.mp4"), deadline: .soon)
            let command = CommandID.random()
            let first = try await stack.repository.update(
                made.id, VideoChange(title: .set("Mill")), revision: 1, command: command, deadline: .soon)
            let other = try await stack.repository.update(
                made.id, VideoChange(title: .set("Weir")), revision: 2, command: .random(), deadline: .soon)
            let again = try await stack.repository.update(
                made.id, VideoChange(title: .set("Mill")), revision: 1, command: command, deadline: .soon)
            #expect(again == first)
            #expect(try await stack.repository.find(made.id, deadline: .soon) == other)
            #expect(try await stack.waiting().count == 2)
        }
    }

    @Test func fiftyDeliveriesOfOneCommandAtOnceAreOneChange() async throws {
        try await withStack { stack in
            let made = try await stack.repository.create(NewVideo(videoPath: "film.mp4"), deadline: .soon)
            let command = CommandID.random()
            let repository = stack.repository
            let answers = try await withThrowingTaskGroup(of: Video.self) { group in
                for _ in 0..<50 {
                    group.addTask {
                        try await repository.update(
                            made.id, VideoChange(title: .set("Mill")), revision: nil, command: command, deadline: .soon)
                    }
                }
                return try await group.reduce(into: [Video]()) { $0.append($1) }
            }
            #expect(answers.count == 50 && answers.allSatisfy { $0 == answers[0] && $0.revision == 2 })
            #expect(try await stack.waiting().count == 1)
        }
    }

    @Test func ofTwoChangesOfOneRevisionOneWins() async throws {
        try await withStack { stack in
            let made = try await stack.repository.create(NewVideo(videoPath: "film.mp4"), deadline: .soon)
            let repository = stack.repository
            let codes = await withTaskGroup(of: ServiceError.Code?.self) { group in
                for number in 0..<10 {
                    group.addTask {
                        do throws(ServiceError) {
                            _ = try await repository.update(
                                made.id, VideoChange(title: .set("\(number)")), revision: 1, command: .random(),
                                deadline: .soon)
                            return nil
                        } catch {
                            return error.code
                        }
                    }
                }
                return await group.reduce(into: [ServiceError.Code?]()) { $0.append($1) }
            }
            #expect(codes.count { $0 == nil } == 1 && codes.count { $0 == .conflict } == 9)
            #expect(try await repository.find(made.id, deadline: .soon).revision == 2)
        }
    }

    @Test func onlySoManyCommandsAreRemembered() async throws {
        try await withStack { stack in
            let made = try await stack.repository.create(NewVideo(videoPath: "film.mp4"), deadline: .soon)
            for number in 1...20 {
                _ = try await stack.repository.update(
                    made.id, VideoChange(title: .set("\(number)")), revision: nil, command: .random(), deadline: .soon)
            }
            let commands = try await stack.document(made.id)["commands"]?.arrayValue
            #expect(commands?.count == MetadataLimits.maxRememberedCommands)
        }
    }

    @Test func aRecordOfAnotherProgramIsChangedAndKeepsItsOtherFields() async throws {
        try await withStack { stack in
            let objectID = ObjectID()
            try await stack.collection.insert(
                ["_id": .objectID(objectID), "videoPath": "film.mp4", "likes": 3, "content": "prose"], deadline: .soon)
            let id = try #require(VideoID(objectID.description))
            let changed = try await stack.repository.update(
                id, VideoChange(title: .set("Mill")), revision: 0, command: .random(), deadline: .soon)
            #expect(changed.revision == 1)
            let document = try await stack.document(id)
            #expect(document["likes"] == 3 && document["content"] == "prose" && document["title"] == "Mill")
        }
    }

    @Test func aFieldThatIsNotAcceptableChangesNothing() async throws {
        try await withStack { stack in
            let made = try await stack.repository.create(NewVideo(videoPath: "film.mp4"), deadline: .soon)
            let refused = await code { () throws(ServiceError) in
                _ = try await stack.repository.update(
                    made.id, VideoChange(contentType: .set("film")), revision: nil, command: .random(), deadline: .soon)
            }
            #expect(refused == .invalidArgument)
            #expect(try await stack.repository.find(made.id, deadline: .soon) == made)
            #expect(try await stack.waiting().isEmpty)
        }
    }

    @Test func aDeletedVideoIsGoneForEverybodyAndItsDeletionIsTold() async throws {
        try await withStack { stack in
            let made = try await stack.repository.create(NewVideo(videoPath: "videos/film"), deadline: .soon)
            let stale = await code { () throws(ServiceError) in
                try await stack.repository.delete(made.id, revision: 7, command: .random(), deadline: .soon)
            }
            #expect(stale == .conflict)
            let command = CommandID.random()
            try await stack.repository.delete(made.id, revision: 1, command: command, deadline: .soon)
            try await stack.repository.delete(made.id, revision: 1, command: command, deadline: .soon)
            let gone = await code { () throws(ServiceError) in
                _ = try await stack.repository.find(made.id, deadline: .soon)
            }
            let again = await code { () throws(ServiceError) in
                try await stack.repository.delete(made.id, revision: nil, command: .random(), deadline: .soon)
            }
            let change = await code { () throws(ServiceError) in
                _ = try await stack.repository.update(
                    made.id, VideoChange(title: .set("Mill")), revision: nil, command: .random(), deadline: .soon)
            }
            let taken = await code { () throws(ServiceError) in
                _ = try await stack.repository.create(
                    NewVideo(id: made.id, videoPath: "videos/film"), deadline: .soon)
            }
            #expect(gone == .notFound && again == .notFound && change == .notFound && taken == .conflict)
            #expect(try await stack.repository.list(after: nil, limit: 10, deadline: .soon).videos.isEmpty)
            let told = try #require(try await stack.waiting().first)
            #expect(try await stack.waiting().count == 1 && told.id == "metadata.video.deleted/\(made.id)/2")
            let deleted = try VideoDeleted(told)
            #expect(deleted.id == made.id && deleted.videoPath == "videos/film" && deleted.version == nil)
            #expect(try await stack.document(made.id)["deletedAt"] != nil)
        }
    }

    @Test func anUploadMakesEveryVideoOfItsObjectReady() async throws {
        try await withStack { stack in
            let first = try await stack.repository.create(
                NewVideo(videoPath: "videos/a", awaitsUpload: true), deadline: .soon)
            let second = try await stack.repository.create(NewVideo(videoPath: "videos/a"), deadline: .soon)
            let other = try await stack.repository.create(
                NewVideo(videoPath: "videos/b", awaitsUpload: true), deadline: .soon)
            #expect(first.state == .awaitingUpload)
            let committed = try content("v1", "videos/a", at: 1)
            let videos = try await stack.repository.contentCommitted(committed, deadline: .soon)
            #expect(videos.map(\.id) == [first.id, second.id].sorted())
            #expect(videos.allSatisfy { $0.state == .ready && $0.content == committed.content })
            #expect(try await stack.repository.find(first.id, deadline: .soon).content == committed.content)
            #expect(try await stack.repository.find(other.id, deadline: .soon) == other)
            #expect(try await stack.waiting().count == 2)
        }
    }

    @Test func anUploadMakesMoreVideosReadyThanAPageHas() async throws {
        try await withStack { stack in
            let documents: [BSONDocument] = (0..<450).map { number in
                // One of a wrong shape stands where a page ends.
                ["videoPath": "videos/a", "state": number == 199 ? 7 : "awaitingUpload"]
            }
            try await stack.collection.insert(contentsOf: documents, deadline: .now + .seconds(60))
            let committed = try content("v1", "videos/a", at: 1)
            let videos = try await stack.repository.contentCommitted(committed, deadline: .soon)
            #expect(videos.count == MetadataLimits.maxPageSize)
            let ready = try await stack.collection.count(["state": "ready"], deadline: .now + .seconds(60))
            #expect(ready == 449)
        }
    }

    @Test func anUploadThatIsToldAgainOrLateChangesNothing() async throws {
        try await withStack { stack in
            let made = try await stack.repository.create(
                NewVideo(videoPath: "videos/a", awaitsUpload: true), deadline: .soon)
            let second = try content("v2", "videos/a", at: 2)
            let ready = try await stack.repository.contentCommitted(second, deadline: .soon)
            for told in [second, try content("v1", "videos/a", at: 1)] {
                let again = try await stack.repository.contentCommitted(told, deadline: .soon)
                #expect(again == ready)
            }
            #expect(try await stack.repository.find(made.id, deadline: .soon).content == second.content)
            #expect(try await stack.waiting().count == 1)
        }
    }

    @Test func anUploadForADeletedVideoTellsTheDeletionOnceMore() async throws {
        try await withStack { stack in
            let made = try await stack.repository.create(
                NewVideo(videoPath: "videos/a", awaitsUpload: true), deadline: .soon)
            try await stack.repository.delete(made.id, revision: nil, command: .random(), deadline: .soon)
            for event in try await stack.outbox.pendingEvents(limit: 10, deadline: .soon) {
                try await stack.outbox.remove(event, deadline: .soon)
            }
            #expect(try await stack.waiting().isEmpty)
            let committed = try content("v1", "videos/a", at: 1)
            #expect(try await stack.repository.contentCommitted(committed, deadline: .soon).isEmpty)
            let told = try #require(try await stack.waiting().first)
            #expect(try await stack.waiting().count == 1 && told.id == "metadata.video.deleted/\(made.id)/3")
            let deleted = try VideoDeleted(told)
            #expect(deleted.id == made.id && deleted.videoPath == "videos/a")
            #expect(deleted.version == committed.content.version)
        }
    }

    @Test func whatIsTakenOutOfTheOutboxIsGoneAndNothingElse() async throws {
        try await withStack { stack in
            let made = try await stack.repository.create(NewVideo(videoPath: "film.mp4"), deadline: .soon)
            for title in ["a", "b"] {
                _ = try await stack.repository.update(
                    made.id, VideoChange(title: .set(title)), revision: nil, command: .random(), deadline: .soon)
            }
            let waiting = try await stack.outbox.pendingEvents(limit: 10, deadline: .soon)
            #expect(waiting.count == 2)
            try await stack.outbox.remove(waiting[0], deadline: .soon)
            try await stack.outbox.remove(waiting[0], deadline: .soon)
            #expect(try await stack.outbox.pendingEvents(limit: 10, deadline: .soon) == [waiting[1]])
            #expect(try await stack.outbox.pendingEvents(limit: 1, deadline: .soon).count == 1)
        }
    }
}

extension Deadline {
    /// Long enough for anything that is expected to succeed.
    fileprivate static var soon: Deadline { .after(.seconds(60)) }
}
