import Contracts
import Domain
import FoundationEssentials
import Mongo
import RPC
import Testing

@testable import VideoMetadata

/// Several records may play one object: what is told of its bytes when some of them, or all, are deleted. Against a real
/// server.
@Suite(.timeLimit(.minutes(1))) struct SharedObjectTests {
    /// Keeps what is published, and may die before that.
    private struct Recorder: EventPublishing {
        let published = Collected<Event>()

        func publish(_ event: Event, needsListener: Bool, deadline: Deadline) async throws(ServiceError) {
            published.add(event)
        }

        /// The object whose deletion each event tells, `nil` for one that tells none.
        func told() throws -> [String?] { try published.all.map { try VideoDeleted($0).videoPath } }
    }

    private struct Stack {
        let client: MongoClient
        let recorder = Recorder()

        /// A worker of its own.
        var repository: VideoRepository { VideoRepository(client: client, logger: MongoFixture.logger) }

        func videos(_ count: Int, _ path: String) async throws -> [VideoID] {
            var ids: [VideoID] = []
            for _ in 0..<count {
                ids.append(try await repository.create(NewVideo(videoPath: path), deadline: .soon).id)
            }
            return ids
        }

        func delete(_ id: VideoID) async throws {
            try await repository.delete(id, revision: nil, command: .random(), deadline: .soon)
        }

        /// Tells what waits in the outbox, as any worker does, at once or after another one has died.
        func tellAll() async throws {
            let outbox = VideoOutbox(client: client)
            let teller = DeletionTeller(client: client, publisher: recorder)
            for event in try await outbox.pendingEvents(limit: 1_000, deadline: .soon) {
                try await teller.publish(event.event, needsListener: true, deadline: .soon)
                try await outbox.remove(event, deadline: .soon)
            }
        }
    }

    private func withStack(_ body: (Stack) async throws -> Void) async throws {
        try await MongoFixture.withClient { client in
            let stack = Stack(client: client)
            try await stack.repository.prepare(deadline: .soon)
            try await body(stack)
        }
    }

    @Test func theBytesStayUntilTheLastVideoThatPlaysThemIsDeleted() async throws {
        try await withStack { stack in
            let ids = try await stack.videos(3, "film.mp4")
            for id in ids {
                try await stack.delete(id)
                try await stack.tellAll()
            }
            #expect(try stack.recorder.told() == [nil, nil, "film.mp4"])
            #expect(stack.recorder.published.all.map(\.id) == ids.map { "metadata.video.deleted/\($0)/2" })
        }
    }

    @Test func deletionsAtOnceThatAreToldLaterLeaveNoBytesBehind() async throws {
        try await withStack { stack in
            let ids = try await stack.videos(10, "film.mp4")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for id in ids { group.addTask { try await stack.delete(id) } }
                try await group.waitForAll()
            }
            // All of them died before they could tell.
            try await stack.tellAll()
            #expect(stack.recorder.published.count == 10)
            #expect(try stack.recorder.told().contains("film.mp4"))
        }
    }

    @Test(arguments: 1...5) func deletionsThatAreToldAtOnceKeepTheBytesOfTheOneThatStays(_: Int) async throws {
        try await withStack { stack in
            let ids = try await stack.videos(8, "film.mp4")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for id in ids.dropFirst() {
                    group.addTask {
                        try await stack.delete(id)
                        try await stack.tellAll()
                    }
                }
                try await group.waitForAll()
            }
            #expect(try stack.recorder.told().allSatisfy { $0 == nil })
            let last = try #require(ids.first)
            try await stack.delete(last)
            try await stack.tellAll()
            #expect(try stack.recorder.told().contains("film.mp4"))
        }
    }

    @Test func aRecordOfAWrongShapeKeepsItsBytes() async throws {
        try await withStack { stack in
            let id = try #require(try await stack.videos(1, "film.mp4").first)
            try await stack.client.collection("videos", of: BSONDocument.self).insert(
                ["videoPath": "film.mp4", "title": 7], deadline: .soon)
            try await stack.delete(id)
            try await stack.tellAll()
            #expect(try stack.recorder.told() == [nil])
        }
    }

    @Test func theDeletionTellsWhichBytesGoWithIt() async throws {
        try await withStack { stack in
            let id = try #require(try await stack.videos(1, "film.mp4").first)
            let content = VideoContent(
                version: try #require(ObjectVersion("v1")), size: 5, contentType: nil,
                committedAt: Date(timeIntervalSince1970: 1))
            let committed = CommittedContent(key: try StorageKey("film.mp4"), content: content)
            _ = try await stack.repository.contentCommitted(committed, deadline: .soon)
            let start = stack.repository.moment()
            try await stack.delete(id)
            try await stack.tellAll()
            let told = try VideoDeleted(try #require(stack.recorder.published.all.last))
            #expect(told.version == content.version)
            #expect(try #require(told.deletedAt) >= start)
        }
    }
}

extension Deadline {
    /// Long enough for anything that is expected to succeed.
    fileprivate static var soon: Deadline { .after(.seconds(60)) }
}
