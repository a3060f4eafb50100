import Domain
import Foundation
import NIOCore
import RPC
import TestKit
import Testing

@testable import Contracts

/// The names on the wire, as literal text. Services of neighbouring versions talk to each other: a name that changes here
/// without a new version of its method cuts them off. Do not mend a test that fails; give the method a new version.
struct WireSnapshotTests {
    @Test func theNamesOfMethodsAreWhatTheyWere() {
        #expect(
            [MetadataWire.find, MetadataWire.list, MetadataWire.create, StorageWire.stat, StorageWire.read] == [
                RPCMethod("metadata.find.v1", queue: "millrace.metadata.query", isIdempotent: true),
                RPCMethod("metadata.list.v1", queue: "millrace.metadata.query", isIdempotent: true),
                RPCMethod("metadata.create.v1", queue: "millrace.metadata.command", isIdempotent: false),
                RPCMethod("storage.stat.v1", queue: "millrace.storage.read", isIdempotent: true),
                RPCMethod("storage.read.v1", queue: "millrace.storage.read", isIdempotent: true),
            ])
        #expect(
            RPCRouter.metadata(InMemoryMetadata()).methodNames == [
                "metadata.content-committed.v1", "metadata.create.v1", "metadata.delete.v1", "metadata.find.v1",
                "metadata.list.v1", "metadata.update.v1",
            ])
        #expect(
            RPCRouter.storage(InMemoryStorage()).methodNames == [
                "storage.open.v1", "storage.read-together.v1", "storage.read.v1", "storage.stat.v1",
            ])
    }

    @Test func theNamesOfQueuesAndExchangesAreWhatTheyWere() {
        #expect(
            MetadataWire.queues(maxConcurrentRequests: 3).map(\.name) == [
                "millrace.metadata.query", "millrace.metadata.command",
            ])
        #expect(StorageWire.queues(maxConcurrentRequests: 3).map(\.name) == ["millrace.storage.read"])
        #expect(StorageWire.queues(maxConcurrentRequests: 3).map(\.maxConcurrentRequests) == [3])
        #expect(RPCTopology.requestExchange(of: MetadataWire.queryQueue) == "millrace.metadata.query.requests")
        #expect(RPCTopology.replyExchange(of: MetadataWire.service) == "millrace.metadata.reply")
        #expect(RPCTopology.replyExchange(of: StorageWire.service) == "millrace.storage.reply")
    }

    /// A broker refuses a queue that is declared in another way than the one that is there.
    @Test func theLimitsOfQueuesAreWhatTheyWere() {
        for queue in MetadataWire.queues(maxConcurrentRequests: 1) + StorageWire.queues(maxConcurrentRequests: 1) {
            #expect(queue.maxWaitingRequests == 4_096)
            #expect(queue.lifetimeWithoutWorkerSeconds == 10)
        }
    }

    @Test func theMembersOfARecordAreWhatTheyWere() throws {
        var video = try Samples.fullVideo()
        (video.videoPath, video.title) = ("a.mp4", "A")
        #expect(
            try Samples.sorted(.json(VideoPayload(video))) == #"""
                {"contentType":"video/mp4","createdAtMilliseconds":1700000000123,"description":"",\#
                "id":"aaaaaaaaaaaaaaaaaaaaaaaa","revision":9223372036854775807,"state":"deleted","title":"A",\#
                "updatedAtMilliseconds":-1,"videoPath":"a.mp4"}
                """#)
        #expect(
            try Samples.sorted(.json(VideoPayload(Video(id: try Samples.id("b"), videoPath: "b.mp4"))))
                == #"{"id":"bbbbbbbbbbbbbbbbbbbbbbbb","revision":0,"state":"ready","videoPath":"b.mp4"}"#)
    }

    @Test func theMembersOfMetadataRequestsAreWhatTheyWere() async throws {
        let calls = RecordedCalls(DirectCalls(router: .metadata(InMemoryMetadata())))
        let client = MetadataClient(calls)
        let id = try Samples.id("a")
        _ = try await client.create(
            NewVideo(id: id, videoPath: "a.mp4", title: "A", description: "B", contentType: "video/mp4"),
            deadline: Samples.deadline)
        _ = try await client.find(id, deadline: Samples.deadline)
        _ = try await client.list(after: nil, limit: 1, deadline: Samples.deadline)
        _ = try await client.list(after: id, limit: 2, deadline: Samples.deadline)
        #expect(
            try calls.calls.map { try Samples.sorted($0.request) } == [
                #"""
                {"contentType":"video/mp4","description":"B","id":"aaaaaaaaaaaaaaaaaaaaaaaa","title":"A",\#
                "videoPath":"a.mp4"}
                """#,
                #"{"id":"aaaaaaaaaaaaaaaaaaaaaaaa"}"#,
                #"{"limit":1}"#,
                #"{"after":"aaaaaaaaaaaaaaaaaaaaaaaa","limit":2}"#,
            ])
        #expect(calls.calls.map(\.request.contentType) == Array(repeating: "application/json", count: 4))
        #expect(calls.calls.map(\.reply.contentType) == Array(repeating: "application/json", count: 4))
        #expect(
            calls.calls.map(\.method.name) == [
                "metadata.create.v1", "metadata.find.v1", "metadata.list.v1", "metadata.list.v1",
            ])
        #expect(try Samples.sorted(calls.calls[3].reply) == #"{"videos":[]}"#)
    }

    @Test func theMembersOfMetadataCommandsAreWhatTheyWere() async throws {
        let service = InMemoryMetadata()
        let calls = RecordedCalls(DirectCalls(router: .metadata(service)))
        let client = MetadataClient(calls)
        let id = try Samples.id("a")
        let command = try #require(CommandID("c-1"))
        _ = try await client.create(
            NewVideo(id: id, videoPath: "a.mp4", awaitsUpload: true), deadline: Samples.deadline)
        _ = try await client.contentCommitted(
            CommittedContent(
                key: StorageKey("a.mp4"),
                content: VideoContent(
                    version: Samples.version("v1"), size: 9, contentType: "video/mp4",
                    committedAt: Date(timeIntervalSince1970: 1.5))), deadline: Samples.deadline)
        _ = try await client.update(
            id, VideoChange(title: .set("A"), description: .remove), revision: 1, command: command,
            deadline: Samples.deadline)
        try await client.delete(id, revision: nil, command: .random(), deadline: Samples.deadline)
        let digits = String(repeating: "a", count: 24)
        #expect(
            try calls.calls.prefix(3).map { try Samples.sorted($0.request) } == [
                #"{"awaitsUpload":true,"id":"\#(digits)","videoPath":"a.mp4"}"#,
                #"""
                {"content":{"committedAtMilliseconds":1500,"contentType":"video/mp4","size":9,"version":"v1"},\#
                "key":"a.mp4"}
                """#,
                #"""
                {"command":"c-1","id":"\#(digits)","remove":["description"],"revision":1,"set":{"title":"A"}}
                """#,
            ])
        #expect(
            try Samples.sorted(calls.calls[2].reply) == #"""
                {"content":{"committedAtMilliseconds":1500,"contentType":"video/mp4","size":9,"version":"v1"},\#
                "id":"\#(digits)","revision":2,"state":"ready","title":"A","videoPath":"a.mp4"}
                """#)
        #expect(try Samples.sorted(calls.calls[3].reply) == "{}")
        #expect(
            calls.calls.map(\.method) == [
                RPCMethod("metadata.create.v1", queue: "millrace.metadata.command", isIdempotent: false),
                RPCMethod("metadata.content-committed.v1", queue: "millrace.metadata.command", isIdempotent: true),
                RPCMethod("metadata.update.v1", queue: "millrace.metadata.command", isIdempotent: true),
                RPCMethod("metadata.delete.v1", queue: "millrace.metadata.command", isIdempotent: true),
            ])
    }

    @Test func theMemberThatSaysWhereTheNextPageStartsIsWhatItWas() throws {
        #expect(
            try Samples.sorted(.json(ListReply(videos: [], next: try Samples.id("c"))))
                == #"{"next":"cccccccccccccccccccccccc","videos":[]}"#)
    }

    @Test func theMembersAndFieldsOfStorageAreWhatTheyWere() async throws {
        let storage = InMemoryStorage()
        let key = try StorageKey("a.mp4")
        let version = try Samples.version("v1")
        storage.put(
            key, bytes: ByteBuffer(string: "123456789"), version: version, contentType: "video/mp4",
            modifiedAt: Date(timeIntervalSince1970: 1.5))
        let calls = RecordedCalls(DirectCalls(router: .storage(storage)))
        let client = StorageClient(calls)
        _ = try await client.stat(key, deadline: Samples.deadline)
        _ = try await client.read(
            ChunkAddress(key: key, version: version, index: 0, chunkBytes: 4_096), deadline: Samples.deadline)
        let (stat, read) = (calls.calls[0], calls.calls[1])
        #expect(try Samples.sorted(stat.request) == #"{"key":"a.mp4"}"#)
        #expect(
            try Samples.sorted(stat.reply) == #"""
                {"chunkBytes":4096,"contentType":"video/mp4","modifiedAtMilliseconds":1500,"size":9,"version":"v1"}
                """#)
        #expect(
            read.request
                == RPCPayload(
                    contentType: "application/octet-stream",
                    fields: [
                        "key": .text("a.mp4"), "version": .text("v1"), "index": .number(0),
                        "chunk-bytes": .number(4_096),
                    ], body: ByteBuffer()))
        #expect(
            read.reply
                == RPCPayload(
                    contentType: "application/octet-stream",
                    fields: [
                        "version": .text("v1"), "offset": .number(0), "size": .number(9),
                        "crc32c": .number(0xE306_9283),
                    ], body: ByteBuffer(string: "123456789")))
    }

    @Test func theBytesOfReadsTogetherAreWhatTheyWere() async throws {
        let storage = InMemoryStorage()
        let (key, version) = (try StorageKey("a.mp4"), try Samples.version("v1"))
        storage.put(key, bytes: ByteBuffer(string: "123456789"), version: version)
        storage.onRead { (call, _) throws(ServiceError) in
            if call == 2 { throw ServiceError(.notFound, "gone") }
        }
        let calls = RecordedCalls(DirectCalls(router: .storage(storage)))
        let client = StorageClient(calls)
        let chunk = ChunkAddress(key: key, version: version, index: 0, chunkBytes: 4_096)
        _ = try await client.read(together: [chunk], deadline: Samples.deadline)
        _ = try await client.read(together: [chunk], deadline: Samples.deadline)
        let address: [UInt8] =
            [0, 5] + Array("a.mp4".utf8) + [0, 2] + Array("v1".utf8) + [0, 0, 0, 0, 0, 0, 0, 0] + [0, 0, 16, 0]
        let answer: [UInt8] =
            [1, 0, 2] + Array("v1".utf8) + [0, 0, 0, 0, 0, 0, 0, 0] + [0, 0, 0, 0, 0, 0, 0, 9]
            + [0xE3, 0x06, 0x92, 0x83] + [0, 0, 0, 9] + Array("123456789".utf8)
        let refusal: [UInt8] = [0, 0, 8] + Array("notFound".utf8) + [0, 4] + Array("gone".utf8)
        func payload(_ body: [UInt8]) -> RPCPayload {
            RPCPayload(contentType: "application/octet-stream", body: ByteBuffer(bytes: body))
        }
        #expect(calls.calls.map(\.method) == [StorageWire.readTogether, StorageWire.readTogether])
        #expect(
            StorageWire.readTogether
                == RPCMethod("storage.read-together.v1", queue: "millrace.storage.read", isIdempotent: true))
        #expect(calls.calls.map(\.request) == [payload(address), payload(address)])
        #expect(calls.calls.map(\.reply) == [payload(answer), payload(refusal)])
    }

    @Test func theCodesOfErrorsAreWhatTheyWere() {
        #expect(
            ServiceError.Code.allCases.map(\.rawValue) == [
                "invalidArgument", "unauthenticated", "permissionDenied", "notFound", "conflict", "tooLarge",
                "overloaded", "unavailable", "deadlineExceeded", "corrupt", "unimplemented", "internal",
            ])
    }

    @Test func theStatesOfVideosAreWhatTheyWere() {
        #expect(Video.State.allCases.map(\.rawValue) == ["awaitingUpload", "ready", "deleted"])
    }
}
