import Domain
import NIOCore
import RPC
import TestKit
import Testing

@testable import Contracts

/// The names of uploads on the wire, as literal text; see ``WireSnapshotTests``.
struct UploadSnapshotTests {
    @Test func theNamesOfMethodsAndQueuesAreWhatTheyWere() {
        #expect(
            [StorageWire.begin, StorageWire.stage, StorageWire.commit, StorageWire.abort] == [
                RPCMethod("storage.begin.v1", queue: "millrace.storage.write", isIdempotent: true),
                RPCMethod(
                    "storage.stage.v1", queue: "millrace.storage.write", isIdempotent: true,
                    leastHedgeDelay: .seconds(2)),
                RPCMethod(
                    "storage.commit.v1", queue: "millrace.storage.write", isIdempotent: true,
                    leastHedgeDelay: .seconds(10)),
                RPCMethod("storage.abort.v1", queue: "millrace.storage.write", isIdempotent: true),
            ])
        let queues = StorageWire.writeQueues(maxConcurrentRequests: 3)
        #expect(queues.map(\.name) == ["millrace.storage.write"])
        #expect(queues.map(\.maxConcurrentRequests) == [3])
        #expect(queues.map(\.maxWaitingRequests) == [512])
        #expect(queues.map(\.lifetimeWithoutWorkerSeconds) == [10])
    }

    @Test func theMembersAndFieldsAreWhatTheyWere() async throws {
        let calls = RecordedCalls(DirectCalls(router: .uploads(InMemoryUploads(InMemoryStorage()))))
        let client = UploadClient(calls)
        let digits = String(repeating: "0f", count: 16)
        let sum = "sha256:" + String(repeating: "0a", count: 32)
        let id = try #require(UploadID(digits))
        _ = try await client.begin(
            NewUpload(id: id, key: StorageKey("a.mp4"), contentType: "video/mp4", size: 9), deadline: Samples.deadline)
        let staged = try await client.stage(
            UploadBlock(upload: id, index: 0, bytes: ByteBuffer(string: "123456789")), deadline: Samples.deadline)
        _ = try await client.commit(
            FinishedUpload(id: id, blocks: [staged], checksum: sum), deadline: Samples.deadline)
        try await client.abort(id, deadline: Samples.deadline)
        let (begin, stage) = (calls.calls[0], calls.calls[1])
        let (commit, abort) = (calls.calls[2], calls.calls[3])
        #expect(
            try Samples.sorted(begin.request)
                == #"{"contentType":"video/mp4","id":"\#(digits)","key":"a.mp4","size":9}"#)
        #expect(try Samples.sorted(begin.reply) == #"{"blockBytes":4096,"maxBlocks":10000}"#)
        #expect(
            stage.request
                == RPCPayload(
                    contentType: "application/octet-stream",
                    fields: ["upload": .text(digits), "index": .number(0), "crc32c": .number(0xE306_9283)],
                    body: ByteBuffer(string: "123456789")))
        #expect(try Samples.sorted(stage.reply) == #"{"index":0,"receipt":"block-0","size":9}"#)
        #expect(
            try Samples.sorted(commit.request)
                == #"{"checksum":"\#(sum)","id":"\#(digits)","receipts":["block-0"],"sizes":[9]}"#)
        #expect(
            try Samples.sorted(commit.reply) == #"""
                {"facts":{"chunkBytes":4096,"contentType":"video/mp4","modifiedAtMilliseconds":1700000000000,\#
                "size":9,"version":"\#(digits)"},"key":"a.mp4"}
                """#)
        #expect(try Samples.sorted(abort.request) == #"{"id":"\#(digits)"}"#)
        #expect(try Samples.sorted(abort.reply) == "{}")
    }
}
