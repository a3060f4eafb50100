import AMQP
import Contracts
import Domain
import FoundationEssentials
import Mongo
import RPC
import Testing

@testable import VideoMetadata

/// What the metadata service tells and hears, over the real broker and a real database.
@Suite(.serialized, .timeLimit(.minutes(2))) struct VideoEventTests {
    /// A queue that no other test uses.
    private let queue = TestBroker.unique("video-events")

    private func broker() throws -> AMQPClient {
        try TestBroker.client(
            "video-events",
            declarations: EventPublisher.declarations
                + EventSubscription.declarations(of: .durable(queue: queue), patterns: ["metadata.video.#"]))
    }

    private func clear() async throws {
        for name in [queue, EventTopology.deadQueue(of: queue)] { try await BrokerControl.run(["delete_queue", name]) }
    }

    private func publisher(_ client: MongoClient, over amqp: AMQPClient) -> OutboxPublisher {
        OutboxPublisher(
            VideoOutbox(client: client), publisher: EventPublisher(over: amqp, service: MetadataWire.service),
            optional: MetadataEvents.optional, logger: MongoFixture.logger)
    }

    /// A worker is killed after it has deleted a video and before it has told so: the next one tells it.
    @Test func whatAKilledWorkerCouldNotTellIsToldByTheNext() async throws {
        try await MongoFixture.withClient { client in
            let killed = VideoRepository(client: client, logger: MongoFixture.logger)
            try await killed.prepare(deadline: .soon)
            let made = try await killed.create(NewVideo(videoPath: "videos/a"), deadline: .soon)
            try await killed.delete(made.id, revision: nil, command: .random(), deadline: .soon)

            let amqp = try broker()
            let received = Collected<Event>()
            let listener = EventSubscription(
                over: amqp, .durable(queue: queue), patterns: ["metadata.video.#"], logger: MongoFixture.logger
            ) { received.add($0) }
            try await withRunning([amqp, listener, publisher(client, over: amqp)]) {
                try await eventually("told", within: .seconds(30)) { received.count > 0 }
                try await eventually("taken out") {
                    try await VideoOutbox(client: client).pendingEvents(limit: 1, deadline: .soon).isEmpty
                }
            }
            #expect(Set(received.all.map(\.id)) == ["metadata.video.deleted/\(made.id)/2"])
            let told = try #require(received.all.first)
            #expect(told.name == MetadataEvents.videoDeleted)
            let deleted = try VideoDeleted(told)
            #expect(deleted.id == made.id && deleted.videoPath == "videos/a")
        }
        try await clear()
    }

    @Test func aChangeIsToldAtOnce() async throws {
        try await MongoFixture.withClient { client in
            let amqp = try broker()
            let outbox = publisher(client, over: amqp)
            let repository = VideoRepository(
                client: client, logger: MongoFixture.logger, tell: { outbox.tell($0) })
            try await repository.prepare(deadline: .soon)
            let received = Collected<Event>()
            let listener = EventSubscription(
                over: amqp, .durable(queue: queue), patterns: ["metadata.video.#"], logger: MongoFixture.logger
            ) { received.add($0) }
            try await withRunning([amqp, outbox, listener]) {
                try await eventually("receiving") { listener.isReceiving && amqp.isConnected }
                let made = try await repository.create(NewVideo(videoPath: "videos/a"), deadline: .soon)
                let start = ContinuousClock.now
                _ = try await repository.update(
                    made.id, VideoChange(title: .set("Mill")), revision: nil, command: .random(), deadline: .soon)
                try await eventually("told") { received.count > 0 }
                #expect(start.duration(to: .now) < .seconds(OutboxPublisher.sweepSeconds - 1))
                #expect(received.all.first?.name == MetadataEvents.videoUpdated)
            }
        }
        try await clear()
    }

    /// The gateway that took an upload in was killed before it could tell: the event alone makes the video ready.
    @Test func theEventOfAnUploadMakesTheVideoReady() async throws {
        try await MongoFixture.withClient { client in
            let amqp = try broker()
            let repository = VideoRepository(client: client, logger: MongoFixture.logger)
            try await repository.prepare(deadline: .soon)
            let made = try await repository.create(
                NewVideo(videoPath: "videos/\(queue)", awaitsUpload: true), deadline: .soon)
            let listener = ContentListener(metadata: repository, logger: MongoFixture.logger)
            let uploads = EventSubscription(
                over: amqp, .durable(queue: queue), patterns: MetadataEvents.patterns, logger: MongoFixture.logger
            ) { try await listener.handle($0) }
            let committed = ObjectCommitted(
                key: try StorageKey(made.videoPath), version: try #require(ObjectVersion("v1")), size: 5,
                contentType: "video/mp4", checksum: nil, committedAt: Date(timeIntervalSince1970: 1))
            try await withRunning([amqp, uploads]) {
                try await eventually("receiving") { uploads.isReceiving && amqp.isConnected }
                try await EventPublisher(over: amqp, service: StorageWire.service).publish(
                    committed.event(), needsListener: true, deadline: .after(.seconds(10)))
                try await eventually("ready") {
                    try await repository.find(made.id, deadline: .soon).state == .ready
                }
            }
            #expect(try await repository.find(made.id, deadline: .soon).content?.size == 5)
        }
        try await clear()
    }
}

extension Deadline {
    /// Long enough for anything that is expected to succeed.
    fileprivate static var soon: Deadline { .after(.seconds(60)) }
}
