import Contracts
import Domain
import Foundation
import RPC
import TestKit
import Testing

/// Client, payloads and router of the metadata service, without a broker.
struct MetadataRoundTripTests {
    private let service = InMemoryMetadata()

    private var client: MetadataClient { MetadataClient(DirectCalls(router: .metadata(service))) }

    @Test func aRecordArrivesWithAllThatItHas() async throws {
        let video = try Samples.fullVideo()
        service.put(video)
        #expect(try await client.find(video.id, deadline: Samples.deadline) == video)
    }

    @Test func aRecordOfIdAndPathAloneArrives() async throws {
        let video = Video(id: try Samples.id("b"), videoPath: "b.mp4")
        service.put(video)
        #expect(try await client.find(video.id, deadline: Samples.deadline) == video)
    }

    @Test(arguments: Video.State.allCases)
    func everyStateArrives(_ state: Video.State) async throws {
        let video = Video(id: try Samples.id("c"), videoPath: "c.mp4", state: state)
        service.put(video)
        #expect(try await client.find(video.id, deadline: Samples.deadline).state == state)
    }

    @Test func pagesArriveInOrderAndSayWhereTheNextOneStarts() async throws {
        let videos = try "123".map { Video(id: try Samples.id($0), videoPath: "\($0).mp4") }
        for video in videos { service.put(video) }
        let first = try await client.list(after: nil, limit: 2, deadline: Samples.deadline)
        #expect(first == VideoPage(videos: Array(videos.prefix(2)), next: videos[1].id))
        let second = try await client.list(after: first.next, limit: 2, deadline: Samples.deadline)
        #expect(second == VideoPage(videos: [videos[2]], next: nil))
    }

    @Test func anEmptyPageArrives() async throws {
        let page = try await client.list(after: nil, limit: 1, deadline: Samples.deadline)
        #expect(page == VideoPage(videos: [], next: nil))
    }

    @Test func aNewVideoArrivesWithAllThatItHas() async throws {
        let made = try await client.create(
            NewVideo(
                id: try Samples.id("d"), videoPath: "d.mp4", title: "D", description: "A film.",
                contentType: "video/mp4"),
            deadline: Samples.deadline)
        #expect(
            made
                == Video(
                    id: try Samples.id("d"), videoPath: "d.mp4", title: "D", description: "A film.",
                    contentType: "video/mp4"))
        #expect(try await client.find(made.id, deadline: Samples.deadline) == made)
    }

    @Test func aNewVideoWithoutAnIdGetsOne() async throws {
        let made = try await client.create(NewVideo(videoPath: "e.mp4"), deadline: Samples.deadline)
        #expect(try await client.find(made.id, deadline: Samples.deadline).videoPath == "e.mp4")
    }

    @Test(arguments: ServiceError.Code.allCases)
    func errorsOfEveryMethodArriveUnchanged(_ code: ServiceError.Code) async throws {
        let error = ServiceError(code, "As it was told.")
        service.fail(with: error)
        let id = try Samples.id("f")
        #expect(
            await failure { () throws(ServiceError) in try await client.find(id, deadline: Samples.deadline) } == error)
        #expect(
            await failure { () throws(ServiceError) in
                try await client.list(after: nil, limit: 1, deadline: Samples.deadline)
            } == error)
        #expect(
            await failure { () throws(ServiceError) in
                try await client.create(NewVideo(videoPath: "f.mp4"), deadline: Samples.deadline)
            } == error)
    }

    @Test func aLimitOutOfBoundsIsForTheServiceToRefuse() async {
        for limit in [Int.min, 0, MetadataLimits.maxPageSize + 1, Int.max] {
            let error = await failure { () throws(ServiceError) in
                try await client.list(after: nil, limit: limit, deadline: Samples.deadline)
            }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test func theDeadlineIsHandedOn() async throws {
        let calls = RecordedCalls(DirectCalls(router: .metadata(service)))
        let deadline = Deadline.after(.seconds(7))
        _ = try await MetadataClient(calls).list(after: nil, limit: 1, deadline: deadline)
        #expect(calls.calls.map(\.deadline) == [deadline])
    }

    @Test func whatWasUploadedArrives() async throws {
        let content = VideoContent(
            version: try Samples.version("v1"), size: 9, contentType: "video/mp4",
            committedAt: Date(timeIntervalSince1970: 1.5))
        let video = Video(id: try Samples.id("c"), videoPath: "c.mp4", content: content)
        service.put(video)
        #expect(try await client.find(video.id, deadline: Samples.deadline) == video)
    }

    @Test func aVideoThatAwaitsItsUploadIsMade() async throws {
        let made = try await client.create(
            NewVideo(id: try Samples.id("d"), videoPath: "d.mp4", awaitsUpload: true), deadline: Samples.deadline)
        #expect(made.state == .awaitingUpload)
    }

    @Test func everyKindOfChangeArrives() async throws {
        let id = try Samples.id("e")
        service.put(Video(id: id, videoPath: "e.mp4", title: "E", description: "old", contentType: "video/mp4"))
        let change = VideoChange(title: .remove, description: .set(""))
        let changed = try await client.update(
            id, change, revision: 0, command: .random(), deadline: Samples.deadline)
        #expect(changed.title == nil && changed.description == "" && changed.contentType == "video/mp4")
        #expect(changed.revision == 1)
        let error = await failure { () throws(ServiceError) in
            try await client.update(id, change, revision: 0, command: .random(), deadline: Samples.deadline)
        }
        #expect(error?.code == .conflict)
    }

    @Test func aCommandThatIsGivenAgainIsKnownByItsId() async throws {
        let id = try Samples.id("e")
        service.put(Video(id: id, videoPath: "e.mp4"))
        let command = CommandID.random()
        for _ in 0..<2 {
            let changed = try await client.update(
                id, VideoChange(title: .set("E")), revision: nil, command: command, deadline: Samples.deadline)
            #expect(changed.revision == 1)
        }
        let deletion = CommandID.random()
        for _ in 0..<2 {
            try await client.delete(id, revision: 1, command: deletion, deadline: Samples.deadline)
        }
        let error = await failure { () throws(ServiceError) in
            try await client.delete(id, revision: nil, command: .random(), deadline: Samples.deadline)
        }
        #expect(error?.code == .notFound)
    }

    @Test func anUploadIsTold() async throws {
        let id = try Samples.id("f")
        service.put(Video(id: id, videoPath: "f.mp4", state: .awaitingUpload))
        let content = CommittedContent(
            key: try StorageKey("f.mp4"),
            content: VideoContent(
                version: try Samples.version("v1"), size: 0, contentType: nil,
                committedAt: Date(timeIntervalSince1970: 1.5)))
        let videos = try await client.contentCommitted(content, deadline: Samples.deadline)
        #expect(service.committed == [content])
        #expect(videos == service.videos && videos.map(\.state) == [.ready])
        #expect(videos.first?.content == content.content)
    }

    @Test(arguments: ServiceError.Code.allCases)
    func errorsOfEveryCommandArriveUnchanged(_ code: ServiceError.Code) async throws {
        let error = ServiceError(code, "As it was told.")
        service.fail(with: error)
        let id = try Samples.id("f")
        let content = CommittedContent(
            key: try StorageKey("f.mp4"),
            content: VideoContent(
                version: try Samples.version("v1"), size: 0, contentType: nil, committedAt: Date()))
        #expect(
            await failure { () throws(ServiceError) in
                try await client.update(
                    id, VideoChange(), revision: nil, command: .random(), deadline: Samples.deadline)
            } == error)
        #expect(
            await failure { () throws(ServiceError) in
                try await client.delete(id, revision: nil, command: .random(), deadline: Samples.deadline)
            } == error)
        #expect(
            await failure { () throws(ServiceError) in
                try await client.contentCommitted(content, deadline: Samples.deadline)
            } == error)
    }
}
