import Domain
import NIOCore
import RPC
import Testing

@testable import Contracts

/// A worker believes no request for a chunk.
struct ReadRequestTests {
    private let good: RPCPayload

    init() throws {
        let address = ChunkAddress(
            key: try StorageKey("film.mp4"), version: try Samples.version("v1"), index: 0, chunkBytes: 4_096)
        good = address.payload
    }

    private func fault(_ name: String, _ value: RPCValue?) -> ServiceError? {
        var payload = good
        payload.fields[name] = value
        do throws(ServiceError) {
            _ = try ChunkAddress(payload)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [ReadFields.key, ReadFields.version, ReadFields.index, ReadFields.chunkBytes])
    func aMissingFieldIsRefusedByName(_ name: String) {
        let error = fault(name, nil)
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains(name) == true)
    }

    @Test func aFieldOfTheWrongKindIsRefused() {
        #expect(fault(ReadFields.key, .number(1))?.code == .invalidArgument)
        #expect(fault(ReadFields.version, .number(1))?.code == .invalidArgument)
        #expect(fault(ReadFields.index, .text("0"))?.code == .invalidArgument)
        #expect(fault(ReadFields.chunkBytes, .text("4096"))?.code == .invalidArgument)
    }

    @Test(arguments: [-1, Int64.min])
    func aNegativeIndexIsRefused(_ index: Int64) {
        #expect(fault(ReadFields.index, .number(index))?.code == .invalidArgument)
    }

    @Test(arguments: [Int64.min, -1, 0, 1, 4_095, 4_194_305, Int64.max])
    func aChunkSizeOutOfBoundsIsRefused(_ bytes: Int64) {
        #expect(fault(ReadFields.chunkBytes, .number(bytes))?.code == .invalidArgument)
    }

    @Test(arguments: ["", "../../etc/passwd", "/etc/passwd", "a\u{0}b", "a\\b", String(repeating: "k", count: 1_025)])
    func aKeyThatLeadsElsewhereIsRefused(_ key: String) {
        #expect(fault(ReadFields.key, .text(key))?.code == .invalidArgument)
    }

    @Test(arguments: ["", "\"v1\"", "v 1", "v\u{301}", String(repeating: "v", count: 129)])
    func aVersionThatIsNoneIsRefused(_ version: String) {
        #expect(fault(ReadFields.version, .text(version))?.code == .invalidArgument)
    }

    @Test func fieldsThatAreNotKnownAreIgnored() {
        #expect(fault("priority", .text("high")) == nil)
    }
}
