import Domain
import NIOCore
import RPC
import Synchronization
import TestKit
import Testing

@testable import Contracts

/// 100,000 payloads of JSON at random, shared among the decoders, and as many of fields (the seed is in the code): whatever
/// comes, it is read or refused with a short error of the right code, and what was read can be written again. No crash.
/// With MILLRACE_LONG_TESTS=1 there are six times as many.
struct DecoderFuzzTests {
    private static let factor = LongRuns.areWanted ? 6 : 1
    private static let jsonCount = factor * 100_000 / decoders.count
    private static let fieldsCount = factor * 50_000
    private static let namesCount = factor * 20_000
    private static let seed: UInt64 = 3_720

    /// A decoder: throws what it throws, and hands what it read to the encoder.
    struct Decoder: CustomTestStringConvertible {
        var testDescription: String
        var fault: ServiceError.Code
        var decode: @Sendable (RPCPayload) throws(ServiceError) -> RPCPayload
    }

    private static let decoders: [Decoder] = [
        Decoder(testDescription: "find request", fault: .invalidArgument) { (payload) throws(ServiceError) in
            try .json(payload.decode(FindRequest.self, orThrow: .invalidArgument))
        },
        Decoder(testDescription: "list request", fault: .invalidArgument) { (payload) throws(ServiceError) in
            try .json(payload.decode(ListRequest.self, orThrow: .invalidArgument))
        },
        Decoder(testDescription: "create request", fault: .invalidArgument) { (payload) throws(ServiceError) in
            try .json(CreateRequest(payload.decode(CreateRequest.self, orThrow: .invalidArgument).video))
        },
        Decoder(testDescription: "stat request", fault: .invalidArgument) { (payload) throws(ServiceError) in
            let request = try payload.decode(StatRequest.self, orThrow: .invalidArgument)
            return try .json(StatRequest(key: StorageKey(request.key).description))
        },
        Decoder(testDescription: "record", fault: .internal) { (payload) throws(ServiceError) in
            try .json(VideoPayload(payload.decode(VideoPayload.self, orThrow: .internal).video))
        },
        Decoder(testDescription: "page", fault: .internal) { (payload) throws(ServiceError) in
            try .json(payload.decode(ListReply.self, orThrow: .internal))
        },
        Decoder(testDescription: "facts", fault: .internal) { (payload) throws(ServiceError) in
            let reply = try payload.decode(StatReply.self, orThrow: .internal)
            return try .json(StatReply(reply.facts(of: StorageKey("a.mp4"))))
        },
    ]

    @Test(arguments: decoders)
    func noJSONBreaksADecoder(_ decoder: Decoder) async throws {
        // Another sequence for each decoder, the same each time.
        var random = RandomJSON(seed: Self.seed + UInt64(decoder.testDescription.utf8.count))
        var accepted = 0
        for number in 0..<Self.jsonCount {
            // Leaves the threads to the tests that measure time.
            if number.isMultiple(of: 100) { await Task.yield() }
            let text = random.next()
            do throws(ServiceError) {
                let written = try decoder.decode(
                    RPCPayload(contentType: RPCPayload.json, body: ByteBuffer(bytes: text)))
                _ = try decoder.decode(written)
                accepted += 1
            } catch {
                guard error.code == decoder.fault, error.message.utf8.count < 300 else {
                    Issue.record("\(error) for \(String(decoding: text, as: UTF8.self))")
                    return
                }
            }
        }
        // Random text that is always refused would try nothing but the parser.
        #expect(accepted > 100)
    }

    @Test func noFieldsBreakAReadRequest() async throws {
        var random = RandomFields(seed: Self.seed)
        var accepted = 0
        for number in 0..<Self.fieldsCount {
            if number.isMultiple(of: 100) { await Task.yield() }
            let payload = random.next()
            do throws(ServiceError) {
                let address = try ChunkAddress(payload)
                #expect(try ChunkAddress(address.payload) == address)
                accepted += 1
            } catch {
                guard error.code == .invalidArgument, error.message.utf8.count < 300 else {
                    Issue.record("\(error) for \(payload)")
                    return
                }
            }
        }
        #expect(accepted > 100)
    }

    @Test func noFieldsBreakAChunk() async throws {
        var random = RandomFields(seed: Self.seed)
        let key = try StorageKey("a.mp4")
        let version = try Samples.version("v1")
        var accepted = 0
        for number in 0..<Self.fieldsCount {
            if number.isMultiple(of: 100) { await Task.yield() }
            var payload = random.next()
            if random.isLucky() {
                payload.fields[ReadFields.checksum] = .number(Int64(CRC32C.checksum(of: payload.body)))
            }
            let address = ChunkAddress(key: key, version: version, index: random.number(), chunkBytes: 4_096)
            let offset = address.index &* 4_096
            if random.isLucky() { payload.fields[ReadFields.offset] = .number(offset) }
            if random.isLucky() {
                payload.fields[ReadFields.size] = .number(offset &+ Int64(payload.body.readableBytes))
            }
            do throws(ServiceError) {
                let chunk = try Chunk(payload, of: address)
                #expect(chunk.offset >= 0 && chunk.objectSize >= 0)
                #expect(chunk.bytes.readableBytes <= address.chunkBytes)
                accepted += 1
            } catch {
                guard [.internal, .conflict, .corrupt].contains(error.code), error.message.utf8.count < 300 else {
                    Issue.record("\(error) for \(payload)")
                    return
                }
            }
        }
        #expect(accepted > 100)
    }

    @Test func noNameOfAMethodBreaksARouter() async throws {
        let calls = RecordedNames()
        var router = RPCRouter()
        for name in ["storage.read.v1", "storage.stat.v1"] {
            router.on(RPCMethod(name, queue: "q", isIdempotent: true)) { (payload, _) throws(ServiceError) in
                calls.add(name)
                return payload
            }
        }
        var random = RandomNames(seed: Self.seed)
        let direct = DirectCalls(router: router)
        var known = 0
        for number in 0..<Self.namesCount {
            if number.isMultiple(of: 100) { await Task.yield() }
            let name = random.next()
            let method = RPCMethod(name, queue: "q", isIdempotent: true)
            let error = await failure { () throws(ServiceError) in
                try await direct.call(method, Samples.json("{}"), deadline: Samples.deadline)
            }
            if router.methodNames.contains(name) {
                known += 1
                #expect(error == nil && calls.last == name)
            } else {
                #expect(error?.code == .unimplemented, "\(name)")
                #expect(error?.message.utf8.count ?? .max < 1_000)
            }
        }
        #expect(known > 100 && known < Self.namesCount / 2)
        #expect(calls.count == known)
    }

    @Test func theSeedAndTheCountAreTold() {
        let count = Self.jsonCount * Self.decoders.count + 2 * Self.fieldsCount + Self.namesCount
        print("fuzz: \(count) payloads and names, seed \(Self.seed)")
        #expect(count > 200_000)
    }
}

/// Which handlers were called.
private final class RecordedNames: Sendable {
    private let names = Mutex<[String]>([])

    var last: String? { names.withLock { $0.last } }
    var count: Int { names.withLock { $0.count } }

    func add(_ name: String) { names.withLock { $0.append(name) } }
}
