import Domain
import Foundation
import NIOCore
import RPC
import Testing

@testable import Contracts

/// A gateway believes no chunk: each of these replies is refused, none of them stops the process.
struct ChunkVerificationTests {
    private static let size: Int64 = 10_000
    private static let lastIndex: Int64 = .max / 4_096
    private static let farIndexes: [Int64] = [.max, .max - 1, lastIndex + 1, lastIndex, lastIndex * 2, -1, .min]

    private let address: ChunkAddress
    private let good: RPCPayload

    init() throws {
        address = ChunkAddress(
            key: try StorageKey("film.mp4"), version: try Samples.version("v1"), index: 1, chunkBytes: 4_096)
        let bytes = ByteBuffer(repeating: 0x5A, count: 4_096)
        good = Chunk(version: address.version, offset: 4_096, objectSize: Self.size, bytes: bytes).payload
    }

    private func fault(_ payload: RPCPayload, of address: ChunkAddress) -> ServiceError? {
        do throws(ServiceError) {
            _ = try Chunk(payload, of: address)
            return nil
        } catch {
            return error
        }
    }

    private func fault(_ change: (inout RPCPayload) -> Void) -> ServiceError.Code? {
        var payload = good
        change(&payload)
        return fault(payload, of: address)?.code
    }

    /// A body with the checksum that belongs to it, so that nothing but its length is wrong.
    private func fault(bodyOf count: Int) -> ServiceError.Code? {
        fault { payload in
            payload.body = ByteBuffer(repeating: 0x5A, count: count)
            payload.fields[ReadFields.checksum] = .number(Int64(CRC32C.checksum(of: payload.body)))
        }
    }

    @Test func theChunkThatWasAskedForIsTaken() throws {
        let chunk = try Chunk(good, of: address)
        #expect(chunk.bytes == ByteBuffer(repeating: 0x5A, count: 4_096))
        #expect(chunk.offset == 4_096)
        #expect(chunk.objectSize == Self.size)
    }

    /// What has happened to bytes since they were stored is seen by who reads them, not summed up again on the way.
    @Test func theChecksumThatWasStoredIsSent() throws {
        let bytes = ByteBuffer(repeating: 0x5A, count: 4_096)
        var chunk = Chunk(version: address.version, offset: 4_096, objectSize: Self.size, bytes: bytes)
        for checksum in [CRC32C.checksum(of: bytes), 7] {
            chunk.checksum = checksum
            let expected: ServiceError.Code? = checksum == 7 ? .corrupt : nil
            #expect(fault(chunk.payload, of: address)?.code == expected)
            let together = ReadTogetherReply(results: [.success(chunk)]).payload
            let result = try ReadTogetherReply(together, to: [address]).results[0]
            if case .failure(let error) = result { #expect(error.code == expected) } else { #expect(expected == nil) }
            let facts = ObjectFacts(
                key: address.key, version: address.version, size: Self.size, contentType: nil, modifiedAt: Date(),
                chunkBytes: 4_096)
            let opened = OpenedObject(facts: facts, first: chunk).payload
            let request = OpenRequest(key: address.key, start: .offset(4_096))
            #expect(opened.number(OpenFields.checksum) == Int64(checksum))
            if expected == nil { #expect(try OpenedObject(opened, to: request).first?.bytes == bytes) }
        }
    }

    @Test func aWrongChecksumIsCorrupt() {
        #expect(fault { $0.fields[ReadFields.checksum] = .number(0) } == .corrupt)
        #expect(fault { $0.fields[ReadFields.checksum] = .number(-1) } == .corrupt)
        #expect(fault { $0.fields[ReadFields.checksum] = .number(.max) } == .corrupt)
        #expect(fault { $0.fields[ReadFields.checksum] = .number(.min) } == .corrupt)
    }

    /// It is of the bytes as they came; to take it a second time would cost as much again.
    @Test func theChecksumThatTheTransportTookIsTheOneThatIsCompared() {
        #expect(fault { $0.bodyChecksum = CRC32C.checksum(of: $0.body) } == nil)
        #expect(fault { $0.bodyChecksum = 7 } == .corrupt)
    }

    @Test func oneFlippedBitIsCorrupt() {
        #expect(fault { _ = $0.body.setInteger(UInt8(0x5B), at: $0.body.readerIndex + 4_000) } == .corrupt)
    }

    @Test func bytesOfAnotherVersionAreAConflict() {
        #expect(fault { $0.fields[ReadFields.version] = .text("v2") } == .conflict)
        #expect(fault { $0.fields[ReadFields.version] = .text("") } == .conflict)
    }

    @Test(arguments: [0, 4_095, 4_097, 8_192, -4_096, Int64.min, Int64.max])
    func bytesOfAnotherPlaceAreCorrupt(_ offset: Int64) {
        #expect(fault { $0.fields[ReadFields.offset] = .number(offset) } == .corrupt)
    }

    @Test(arguments: [0, 1, 4_095, 4_097, 8_192])
    func aBodyOfAnotherLengthIsCorrupt(_ count: Int) {
        #expect(fault(bodyOf: count) == .corrupt)
    }

    @Test(arguments: [-1, -4_096, Int64.min, Int64.min + 4_095])
    func anObjectOfNegativeSizeIsCorrupt(_ size: Int64) {
        #expect(fault { $0.fields[ReadFields.size] = .number(size) } == .corrupt)
        let empty = fault {
            $0.fields[ReadFields.size] = .number(size)
            $0.body = ByteBuffer()
            $0.fields[ReadFields.checksum] = .number(0)
        }
        #expect(empty == .corrupt)
    }

    @Test(arguments: [ReadFields.version, ReadFields.offset, ReadFields.size, ReadFields.checksum])
    func aMissingFieldIsADefectOfTheWorker(_ name: String) {
        #expect(fault { $0.fields[name] = nil } == .internal)
    }

    @Test func aFieldOfTheWrongKindIsADefectOfTheWorker() {
        #expect(fault { $0.fields[ReadFields.version] = .number(1) } == .internal)
        #expect(fault { $0.fields[ReadFields.offset] = .text("4096") } == .internal)
        #expect(fault { $0.fields[ReadFields.size] = .text("10000") } == .internal)
        #expect(fault { $0.fields[ReadFields.checksum] = .text("0") } == .internal)
    }

    @Test func theLastChunkIsAsLongAsTheRestOfTheObject() throws {
        var last = address
        last.index = 2
        let rest = ByteBuffer(repeating: 1, count: 1_808)
        let reply = Chunk(version: last.version, offset: 8_192, objectSize: Self.size, bytes: rest).payload
        #expect(try Chunk(reply, of: last).bytes == rest)
        let longer = ByteBuffer(repeating: 1, count: 1_809)
        let wrong = Chunk(version: last.version, offset: 8_192, objectSize: Self.size, bytes: longer).payload
        #expect(fault(wrong, of: last)?.code == .corrupt)
    }

    /// Places that lie beyond what can be counted, with every size that a hostile worker could give.
    @Test(arguments: farIndexes)
    func anIndexBeyondCountingIsCorrupt(_ index: Int64) {
        var far = address
        far.index = index
        let start = index.multipliedReportingOverflow(by: 4_096).partialValue
        for size in [Int64.min, -1, 0, Self.size, .max] {
            for offset in [start, 0, Int64.min, .max] {
                var reply = good
                reply.fields[ReadFields.size] = .number(size)
                reply.fields[ReadFields.offset] = .number(offset)
                #expect(fault(reply, of: far)?.code == .corrupt)
            }
        }
    }

    @Test func theLastChunkThatCanBeCountedIsTaken() throws {
        var far = address
        far.index = .max / 4_096
        let offset = far.index * 4_096
        let bytes = ByteBuffer(repeating: 1, count: Int(Int64.max - offset))
        let reply = Chunk(version: far.version, offset: offset, objectSize: .max, bytes: bytes).payload
        #expect(try Chunk(reply, of: far).bytes == bytes)
    }

    @Test func messagesNameTheObjectAndNotItsBytes() {
        var reply = good
        reply.fields[ReadFields.checksum] = .number(0)
        #expect(
            fault(reply, of: address)
                == ServiceError(.corrupt, "Chunk 1 of film.mp4 is not as it was sent; its bytes are not used."))
    }
}
