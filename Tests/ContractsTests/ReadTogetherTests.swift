import Domain
import NIOCore
import RPC
import TestKit
import Testing

@testable import Contracts

/// Several chunks by one call.
struct ReadTogetherTests {
    private let storage = InMemoryStorage()
    private let key: StorageKey
    private let version: ObjectVersion
    private let bytes = ByteBuffer(bytes: (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })

    init() throws {
        key = try StorageKey("films/mill race 视频.mp4")
        version = try Samples.version("v1")
        storage.put(key, bytes: bytes, version: version, chunkBytes: 8_192)
    }

    private func chunk(_ index: Int64, of size: Int = 8_192, version: ObjectVersion? = nil) -> ChunkAddress {
        ChunkAddress(key: key, version: version ?? self.version, index: index, chunkBytes: size)
    }

    private var client: StorageClient { StorageClient(DirectCalls(router: .storage(storage))) }

    private func fault(_ reply: ByteBuffer, to chunks: [ChunkAddress]) -> ServiceError? {
        do throws(ServiceError) {
            _ = try ReadTogetherReply(RPCPayload(contentType: RPCPayload.bytes, body: reply), to: chunks)
            return nil
        } catch {
            return error
        }
    }

    @Test func eachChunkComesInItsPlaceOrItsFailureDoes() async throws {
        let other = try Samples.version("v0")
        let missing = ChunkAddress(key: try StorageKey("none"), version: version, index: 0, chunkBytes: 4_096)
        let asked = [chunk(2), chunk(0, of: 5_000), chunk(0, version: other), missing, chunk(0)]
        let results = try await client.read(together: asked, deadline: Samples.deadline)
        let expected = [16_384..<20_000, 0..<5_000, nil, nil, 0..<8_192]
        #expect(results.count == expected.count)
        for (result, range) in zip(results, expected) {
            guard let range else {
                #expect(throws: ServiceError.self) { try result.get() }
                continue
            }
            let chunk = try result.get()
            #expect(chunk.bytes == bytes.getSlice(at: range.lowerBound, length: range.count))
            #expect(chunk.offset == Int64(range.lowerBound) && chunk.objectSize == 20_000 && chunk.version == version)
        }
        #expect(results[2] == .failure(await error(of: asked[2])))
        #expect(results[3] == .failure(await error(of: missing)))
    }

    /// What a call for this one alone gives.
    private func error(of chunk: ChunkAddress) async -> ServiceError {
        await failure { () throws(ServiceError) in try await client.read(chunk, deadline: Samples.deadline) }
            ?? ServiceError(.internal, "It is there.")
    }

    @Test func aChunkHoldsNoMoreMemoryThanItsOwn() async throws {
        let results = try await client.read(together: [chunk(0), chunk(1)], deadline: Samples.deadline)
        for result in results { #expect(try result.get().bytes.storageCapacity == 8_192) }
    }

    @Test func tooManyAndNoneAreRefusedBeforeAnythingIsRead() async throws {
        let many = Array(repeating: chunk(0, of: 4_096), count: StorageLimits.maxChunksTogether + 1)
        let large = Array(repeating: chunk(0, of: StorageLimits.maxBytesTogether / 2 + 1), count: 2)
        for chunks in [[], many, large] {
            let atTheClient = await failure { () throws(ServiceError) in
                try await client.read(together: chunks, deadline: Samples.deadline)
            }
            let atTheWorker = await failure { () throws(ServiceError) in
                try ReadTogetherRequest(ReadTogetherRequest(chunks: chunks).payload)
            }
            #expect(atTheClient?.code == .invalidArgument && atTheWorker?.code == .invalidArgument)
        }
        #expect(storage.counts.reads == 0)
        // One alone may be as large as a chunk can be.
        let results = try await client.read(together: [chunk(0, of: 4_194_304)], deadline: Samples.deadline)
        #expect(try results.first?.get().bytes == bytes)
    }

    @Test func aRequestThatIsCutShortIsRefused() throws {
        let whole = ReadTogetherRequest(chunks: [chunk(0), chunk(1)]).payload
        for count in 1..<whole.body.readableBytes {
            var part = whole
            part.body = try #require(whole.body.getSlice(at: 0, length: count))
            // After the first chunk it is a whole request of one.
            guard count != whole.body.readableBytes / 2 else { continue }
            #expect(throws: ServiceError.self) { try ReadTogetherRequest(part) }
        }
        #expect(try ReadTogetherRequest(whole).chunks == [chunk(0), chunk(1)])
    }

    @Test func aReplyToSomethingElseIsADefect() throws {
        let chunk = Chunk(version: version, offset: 0, objectSize: 9, bytes: ByteBuffer(string: "123456789"))
        let address = ChunkAddress(key: key, version: version, index: 0, chunkBytes: 4_096)
        let results: [Result<Chunk, ServiceError>] = [
            .success(chunk), .failure(ServiceError(.notFound, "It is gone.")),
        ]
        let reply = ReadTogetherReply(results: results).payload.body
        let read = try ReadTogetherReply(
            RPCPayload(contentType: RPCPayload.bytes, body: reply), to: [address, address])
        #expect(read.results == results)
        for count in 0..<reply.readableBytes {
            let part = try #require(reply.getSlice(at: 0, length: count))
            #expect(fault(part, to: [address, address])?.code == .internal)
        }
        #expect(fault(reply, to: [address])?.code == .internal)
        #expect(fault(reply, to: [address, address, address])?.code == .internal)
    }

    @Test func aByteThatChangedOnItsWaySpoilsItsChunkAndNoOther() throws {
        let chunk = Chunk(version: version, offset: 0, objectSize: 9, bytes: ByteBuffer(string: "123456789"))
        let address = ChunkAddress(key: key, version: version, index: 0, chunkBytes: 4_096)
        var reply = ReadTogetherReply(results: [.success(chunk), .success(chunk)]).payload.body
        reply.setInteger(UInt8(ascii: "x"), at: reply.writerIndex - 3)
        let results = try ReadTogetherReply(
            RPCPayload(contentType: RPCPayload.bytes, body: reply), to: [address, address]
        ).results
        #expect(results[0] == .success(chunk))
        #expect(throws: ServiceError(.corrupt, "Chunk 0 of \(key) is not as it was sent; its bytes are not used.")) {
            try results[1].get()
        }
    }

    @Test func anErrorOfALaterVersionIsADefectAndALongMessageIsCut() throws {
        let long = ServiceError(.overloaded, String(repeating: "ä", count: 40_000))
        var reply = ReadTogetherReply(results: [.failure(long)]).payload.body
        reply.writeBytes([0, 0, 3] + Array("new".utf8) + [0, 2] + Array("no".utf8))
        let results = try ReadTogetherReply(
            RPCPayload(contentType: RPCPayload.bytes, body: reply), to: [chunk(0), chunk(1)]
        ).results
        #expect(results[1] == .failure(ServiceError(.internal, "no")))
        guard case .failure(let error) = results[0] else { throw Samples.NoSample() }
        #expect(error.code == .overloaded && error.message.utf8.count <= 65_538)
    }

    /// Replies and requests of which some bytes are others: they are read or refused. No crash.
    @Test func noBytesBreakADecoder() async throws {
        let results = try await client.read(together: [chunk(2), chunk(0)], deadline: Samples.deadline)
        let reply = ReadTogetherReply(results: results + [.failure(ServiceError(.notFound, "no"))]).payload
        let asked = [chunk(2), chunk(0), chunk(1)]
        let request = ReadTogetherRequest(chunks: asked).payload
        var random = SeededRandom(seed: 4_711)
        var (read, refused) = (0, 0)
        for number in 0..<20_000 {
            if number.isMultiple(of: 100) { await Task.yield() }
            var (spoiledReply, spoiledRequest) = (reply, request)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let byte = UInt8.random(in: 0...255, using: &random)
                // Most of a reply is bytes of chunks; what is before them is of interest.
                spoiledReply.body.setInteger(byte, at: Int.random(in: 0..<60, using: &random))
                spoiledRequest.body.setInteger(
                    byte, at: Int.random(in: 0..<request.body.readableBytes, using: &random))
            }
            do throws(ServiceError) {
                _ = try ReadTogetherReply(spoiledReply, to: asked)
                read += 1
            } catch {
                #expect(error.code == .internal)
                refused += 1
            }
            do throws(ServiceError) {
                let chunks = try ReadTogetherRequest(spoiledRequest).chunks
                #expect(try ReadTogetherRequest(ReadTogetherRequest(chunks: chunks).payload).chunks == chunks)
                read += 1
            } catch {
                #expect(error.code == .invalidArgument)
                refused += 1
            }
        }
        #expect(read > 1_000 && refused > 1_000)
    }
}
