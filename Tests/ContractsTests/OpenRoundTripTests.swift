import Domain
import Foundation
import NIOCore
import RPC
import TestKit
import Testing

@testable import Contracts

/// `storage.open.v1`, without a broker.
struct OpenRoundTripTests {
    private let service = InMemoryStorage()
    private let key: StorageKey
    private let facts: ObjectFacts
    private let bytes = ByteBuffer(bytes: (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ ($0 >> 8)) })

    init() throws {
        key = try StorageKey("films/mill race 视频 100%+?.mp4")
        facts = service.put(
            key, bytes: bytes, version: try Samples.version("v1.A-b_c"), contentType: "video/mp4",
            modifiedAt: Date(timeIntervalSince1970: 1_700_000_000.987))
    }

    private var client: StorageClient { StorageClient(DirectCalls(router: .storage(service))) }

    @Test(
        arguments: [
            (.offset(0), 0), (.offset(4_095), 0), (.offset(4_096), 1), (.offset(9_999), 2), (.offset(10_000), nil),
            (.offset(.max), nil), (.suffix(1), 2), (.suffix(10_000), 0), (.suffix(.max), 0), (.suffix(0), nil),
        ] as [(ReadStart, Int64?)])
    func factsAndChunkArriveByteForByte(start: ReadStart, index: Int64?) async throws {
        let opened = try await client.open(key, at: start, deadline: Samples.deadline)
        #expect(opened.facts == facts)
        #expect(opened.first?.offset == index.map { $0 * 4_096 })
        #expect(
            opened.first?.bytes
                == index.flatMap { bytes.getSlice(at: Int($0) * 4_096, length: min(4_096, 10_000 - Int($0) * 4_096)) })
    }

    @Test func anEmptyObjectWithoutATypeArrives() async throws {
        let empty = service.put(key, bytes: ByteBuffer(), version: facts.version)
        for start in [ReadStart.offset(0), .suffix(5)] {
            let opened = try await client.open(key, at: start, deadline: Samples.deadline)
            #expect(opened == OpenedObject(facts: empty, first: nil))
        }
    }

    @Test(arguments: ServiceError.Code.allCases)
    func errorsArriveUnchanged(_ code: ServiceError.Code) async {
        service.onOpen(InMemoryStorage.failure(code))
        let error = await failure { () throws(ServiceError) in
            try await client.open(key, at: .offset(0), deadline: Samples.deadline)
        }
        #expect(error == ServiceError(code, "Call 1 fails as it was told."))
    }

    @Test func theFieldsAreWhatTheyWere() async throws {
        let calls = RecordedCalls(DirectCalls(router: .storage(service)))
        service.put(
            try StorageKey("a.mp4"), bytes: ByteBuffer(string: "123456789"), version: try Samples.version("v1"),
            contentType: "video/mp4", modifiedAt: Date(timeIntervalSince1970: 1.5))
        let client = StorageClient(calls)
        _ = try await client.open(StorageKey("a.mp4"), at: .suffix(3), deadline: Samples.deadline)
        _ = try await client.open(StorageKey("a.mp4"), at: .offset(7), deadline: Samples.deadline)
        #expect(
            calls.calls[0].method == RPCMethod("storage.open.v1", queue: "millrace.storage.read", isIdempotent: true))
        #expect(calls.calls[0].request.fields == ["key": .text("a.mp4"), "start": .number(-3)])
        #expect(calls.calls[1].request.fields == ["key": .text("a.mp4"), "start": .number(7)])
        #expect(
            calls.calls[0].reply
                == RPCPayload(
                    contentType: "application/octet-stream",
                    fields: [
                        "version": .text("v1"), "size": .number(9), "content-type": .text("video/mp4"),
                        "modified-at-milliseconds": .number(1_500), "chunk-bytes": .number(4_096),
                        "offset": .number(0), "crc32c": .number(0xE306_9283),
                    ], body: ByteBuffer(string: "123456789")))
    }

    @Test(
        arguments: [
            (["key": .text("a")], "start"), (["start": .number(0)], "key"),
            (["key": .text("../a"), "start": .number(0)], ""),
            (["key": .text("a"), "start": .text("0")], "start"),
        ] as [([String: RPCValue], String)])
    func aRequestThatIsNoneIsRefused(fields: [String: RPCValue], word: String) {
        let error = #expect(throws: ServiceError.self) {
            try OpenRequest(RPCPayload(contentType: RPCPayload.bytes, fields: fields, body: ByteBuffer()))
        }
        #expect(error?.code == .invalidArgument)
        #expect(word.isEmpty || error?.message.contains(word) == true)
    }

    @Test func aStartOfAnyNumberIsReadWithoutACrash() throws {
        for number in [Int64.min, -1, 0, .max] {
            let request = try OpenRequest(
                RPCPayload(
                    contentType: RPCPayload.bytes, fields: ["key": .text("a"), "start": .number(number)],
                    body: ByteBuffer()))
            #expect(request.start == (number < 0 ? .suffix(number == .min ? .max : -number) : .offset(number)))
        }
    }

    @Test(
        arguments: [
            ("version", .text("v 1"), .internal), ("size", .number(-1), .internal),
            ("chunk-bytes", .number(0), .internal),
            ("chunk-bytes", .number(16_384), .corrupt), ("size", .number(9_999), .corrupt),
            ("offset", .number(4_096), .corrupt),
            ("crc32c", .number(1), .corrupt), ("offset", nil, .internal), ("modified-at-milliseconds", nil, .internal),
        ] as [(String, RPCValue?, ServiceError.Code)])
    func aReplyThatDoesNotFitIsNotUsed(field: String, value: RPCValue?, code: ServiceError.Code) async throws {
        var reply = try await service.open(key, at: .offset(8_192), deadline: Samples.deadline).payload
        reply.fields[field] = value
        let client = StorageClient(CannedReply(reply: reply))
        let error = await failure { () throws(ServiceError) in
            try await client.open(key, at: .offset(8_192), deadline: Samples.deadline)
        }
        #expect(error?.code == code)
    }

    @Test func bytesWhereThereAreNoneAreNotUsed() async throws {
        var reply = try await service.open(key, at: .offset(20_000), deadline: Samples.deadline).payload
        reply.body = ByteBuffer(string: "x")
        let client = StorageClient(CannedReply(reply: reply))
        let error = await failure { () throws(ServiceError) in
            try await client.open(key, at: .offset(20_000), deadline: Samples.deadline)
        }
        #expect(error?.code == .corrupt)
    }
}
