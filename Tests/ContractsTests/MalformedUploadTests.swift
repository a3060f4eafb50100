import Domain
import NIOCore
import RPC
import TestKit
import Testing

@testable import Contracts

/// A worker believes no block and no commit; a gateway believes no plan and no receipt.
struct MalformedUploadTests {
    private static let id = String(repeating: "0f", count: 16)
    private static let checksum = "sha256:" + String(repeating: "0a", count: 32)
    private let good: RPCPayload
    private let block: UploadBlock

    init() throws {
        let id = try #require(UploadID(Self.id))
        block = UploadBlock(upload: id, index: 1, bytes: ByteBuffer(string: "123456789"))
        good = block.payload
    }

    private func fault(_ change: (inout RPCPayload) -> Void) -> ServiceError? {
        var payload = good
        change(&payload)
        do throws(ServiceError) {
            _ = try UploadBlock(payload)
            return nil
        } catch {
            return error
        }
    }

    private func refusal(_ method: RPCMethod, _ body: String) async -> ServiceError? {
        let calls = DirectCalls(router: .uploads(InMemoryUploads(InMemoryStorage())))
        return await failure { () throws(ServiceError) in
            try await calls.call(method, Samples.json(body), deadline: Samples.deadline)
        }
    }

    @Test func aBlockArrivesAsItIs() throws {
        #expect(try UploadBlock(good) == block)
    }

    @Test(arguments: [StageFields.upload, StageFields.index, StageFields.checksum])
    func aMissingFieldIsRefusedByName(_ name: String) {
        let error = fault { $0.fields[name] = nil }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains(name) == true)
    }

    @Test func aFieldOfTheWrongKindIsRefused() {
        #expect(fault { $0.fields[StageFields.upload] = .number(1) }?.code == .invalidArgument)
        #expect(fault { $0.fields[StageFields.index] = .text("1") }?.code == .invalidArgument)
        #expect(fault { $0.fields[StageFields.checksum] = .text("1") }?.code == .invalidArgument)
    }

    @Test(arguments: [0, -1, Int64.min, Int64.max])
    func aWrongChecksumIsCorrupt(_ checksum: Int64) {
        #expect(fault { $0.fields[StageFields.checksum] = .number(checksum) }?.code == .corrupt)
    }

    @Test func oneFlippedBitIsCorrupt() {
        #expect(fault { _ = $0.body.setInteger(UInt8(0), at: $0.body.readerIndex) }?.code == .corrupt)
    }

    @Test(arguments: [-1, Int64.min])
    func aNegativeIndexIsRefused(_ index: Int64) {
        #expect(fault { $0.fields[StageFields.index] = .number(index) }?.code == .invalidArgument)
    }

    @Test(arguments: [0, UploadLimits.blockBytesRange.upperBound + 1])
    func aBlockOfASizeThatNoneHasIsRefused(_ count: Int) {
        let error = fault { payload in
            payload.body = ByteBuffer(repeating: 1, count: count)
            payload.fields[StageFields.checksum] = .number(Int64(CRC32C.checksum(of: payload.body)))
        }
        #expect(error?.code == .invalidArgument)
    }

    @Test(arguments: ["", "0F", String(repeating: "0F", count: 16), String(repeating: "0", count: 33), "../../etc"])
    func anUploadThatIsNoneIsRefused(_ id: String) async {
        #expect(fault { $0.fields[StageFields.upload] = .text(id) }?.code == .invalidArgument)
        #expect(await refusal(StorageWire.begin, #"{"id":"\#(id)","key":"a"}"#)?.code == .invalidArgument)
        #expect(await refusal(StorageWire.abort, #"{"id":"\#(id)"}"#)?.code == .invalidArgument)
    }

    @Test(arguments: [
        (StorageWire.begin, #"{}"#, "the member id is missing"),
        (StorageWire.begin, #"{"id":"\#(id)"}"#, "the member key is missing"),
        (StorageWire.begin, #"{"id":"\#(id)","key":"../a"}"#, "videoPath"),
        (StorageWire.begin, #"{"id":"\#(id)","key":"a","size":-1}"#, "size"),
        (StorageWire.begin, #"{"id":"\#(id)","key":"a","size":"1"}"#, "the member size"),
        (StorageWire.commit, #"{"id":"\#(id)","sizes":[1],"receipts":[],"checksum":"\#(checksum)"}"#, "same length"),
        (StorageWire.commit, #"{"id":"\#(id)","sizes":[0],"receipts":[""],"checksum":"\#(checksum)"}"#, "sizes"),
        (StorageWire.commit, #"{"id":"\#(id)","sizes":[-1],"receipts":[""],"checksum":"\#(checksum)"}"#, "sizes"),
        (StorageWire.commit, #"{"id":"\#(id)","sizes":[8388609],"receipts":[""],"checksum":"\#(checksum)"}"#, "sizes"),
        (StorageWire.commit, #"{"id":"\#(id)","sizes":[1],"receipts":["é"],"checksum":"\#(checksum)"}"#, "receipts"),
        (StorageWire.commit, #"{"id":"\#(id)","sizes":[],"receipts":[],"checksum":"sha256:00"}"#, "checksum"),
        (StorageWire.commit, #"{"id":"\#(id)","sizes":[],"receipts":[]}"#, "checksum"),
        (StorageWire.abort, #"{"id":7}"#, "the member id is not a String"),
    ])
    func theMemberThatIsWrongIsNamed(_ method: RPCMethod, _ body: String, _ words: String) async throws {
        let error = try #require(await refusal(method, body))
        #expect(error.code == .invalidArgument)
        #expect(error.message.contains(words), "\(error.message)")
    }

    @Test(arguments: [
        "{}", #"{"blockBytes":0,"maxBlocks":1}"#, #"{"blockBytes":4095,"maxBlocks":1}"#,
        #"{"blockBytes":8388609,"maxBlocks":1}"#, #"{"blockBytes":4096,"maxBlocks":0}"#,
        #"{"blockBytes":4096,"maxBlocks":-1}"#,
    ])
    func aPlanThatCannotBeIsADefect(_ body: String) async throws {
        let client = UploadClient(CannedReply(reply: Samples.json(body)))
        let key = try StorageKey("a")
        let error = await failure { () throws(ServiceError) in
            try await client.begin(
                NewUpload(id: block.upload, key: key, contentType: nil, size: nil), deadline: Samples.deadline)
        }
        #expect(error?.code == .internal)
    }

    @Test(arguments: [
        "{}", #"{"index":0,"size":9,"receipt":""}"#, #"{"index":1,"size":8,"receipt":""}"#,
        #"{"index":1,"size":9,"receipt":"\u0000"}"#, #"{"index":1,"size":9}"#,
        #"{"index":1,"size":9,"receipt":"\#(String(repeating: "r", count: 129))"}"#,
    ])
    func aReceiptThatCannotBeIsADefect(_ body: String) async {
        let client = UploadClient(CannedReply(reply: Samples.json(body)))
        let error = await failure { () throws(ServiceError) in
            try await client.stage(block, deadline: Samples.deadline)
        }
        #expect(error?.code == .internal)
    }
}
