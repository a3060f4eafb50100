import Contracts
import Domain
import Foundation
import Testing

/// JSON that a worker of another version may answer with.
struct MalformedReplyTests {
    private static let id = "5d9e690ad76fe06a3d7ae416"

    private func find(_ body: String) async throws(ServiceError) -> Video {
        guard let id = VideoID(Self.id) else { throw ServiceError(.internal, "no id") }
        return try await MetadataClient(CannedReply(reply: Samples.json(body))).find(id, deadline: Samples.deadline)
    }

    private func stat(_ body: String) async throws(ServiceError) -> ObjectFacts {
        try await StorageClient(CannedReply(reply: Samples.json(body)))
            .stat(StorageKey("a.mp4"), deadline: Samples.deadline)
    }

    @Test func aRecordWithMembersOfALaterVersionIsRead() async throws {
        let video = try await find(
            #"{"id":"\#(Self.id)","videoPath":"a.mp4","state":"ready","revision":3,"tags":["a"],"size":{"bytes":1}}"#)
        #expect(video.videoPath == "a.mp4")
        #expect(video.revision == 3)
        #expect(video.createdAt == nil)
    }

    @Test(arguments: [
        #"{"version":"v 1","size":1,"committedAtMilliseconds":0}"#,
        #"{"version":"v1","size":-1,"committedAtMilliseconds":0}"#,
    ])
    func contentThatCannotBeIsLeftOut(_ content: String) async throws {
        let video = try await find(
            #"{"id":"\#(Self.id)","videoPath":"a.mp4","state":"ready","revision":3,"content":\#(content)}"#)
        #expect(video.content == nil)
    }

    @Test func aStateOfALaterVersionIsNotPlayed() async throws {
        let video = try await find(#"{"id":"\#(Self.id)","videoPath":"a.mp4","state":"transcoding","revision":3}"#)
        #expect(video.state == .awaitingUpload)
    }

    @Test(arguments: [
        "", "{}", "[]", "null", #"{"id":"x","videoPath":"a.mp4","state":"ready","revision":1}"#,
        #"{"id":"5d9e690ad76fe06a3d7ae416","videoPath":"a.mp4","state":"ready","revision":"1"}"#,
        #"{"id":"5d9e690ad76fe06a3d7ae416","videoPath":"a.mp4","state":"ready","revision":1,"createdAtMilliseconds":1e30}"#,
    ])
    func aReplyThatIsNoRecordIsADefect(_ body: String) async {
        #expect(await failure { () throws(ServiceError) in try await find(body) }?.code == .internal)
    }

    @Test func aPageWithOneWrongRecordSaysWhichMember() async {
        let client = MetadataClient(
            CannedReply(
                reply: Samples.json(#"{"videos":[{"id":"\#(Self.id)","videoPath":1,"state":"ready","revision":1}]}"#)))
        let error = await failure { () throws(ServiceError) in
            try await client.list(after: nil, limit: 1, deadline: Samples.deadline)
        }
        #expect(error?.code == .internal)
        #expect(error?.message.contains("videoPath") == true)
    }

    @Test func factsWithMembersOfALaterVersionAreRead() async throws {
        let facts = try await stat(
            #"{"version":"v1","size":0,"modifiedAtMilliseconds":-1,"chunkBytes":4096,"checksum":"sha256:0"}"#)
        #expect(facts.size == 0)
        #expect((facts.modifiedAt.timeIntervalSince1970 * 1_000).rounded() == -1)
    }

    @Test(arguments: [
        #"{"version":"","size":1,"modifiedAtMilliseconds":0,"chunkBytes":4096}"#,
        #"{"version":"v 1","size":1,"modifiedAtMilliseconds":0,"chunkBytes":4096}"#,
        #"{"version":"v1\r\nX: y","size":1,"modifiedAtMilliseconds":0,"chunkBytes":4096}"#,
        #"{"version":"v1","size":-1,"modifiedAtMilliseconds":0,"chunkBytes":4096}"#,
        #"{"version":"v1","size":9223372036854775808,"modifiedAtMilliseconds":0,"chunkBytes":4096}"#,
        #"{"version":"v1","size":1,"modifiedAtMilliseconds":0,"chunkBytes":0}"#,
        #"{"version":"v1","size":1,"modifiedAtMilliseconds":0,"chunkBytes":-4096}"#,
        #"{"version":"v1","size":1,"modifiedAtMilliseconds":0,"chunkBytes":4194305}"#,
        #"{"version":"v1","size":1,"modifiedAtMilliseconds":null,"chunkBytes":4096}"#,
        #"{"size":1,"modifiedAtMilliseconds":0,"chunkBytes":4096}"#,
    ])
    func factsThatCannotBeAreADefect(_ body: String) async {
        #expect(await failure { () throws(ServiceError) in try await stat(body) }?.code == .internal)
    }
}
