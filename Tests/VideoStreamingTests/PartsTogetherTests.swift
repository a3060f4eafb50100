import Domain
import Logging
import NIOCore
import TestKit
import Testing

@testable import VideoStreaming

/// Small reads of many viewers at once, which go to the storage service together.
struct PartsTogetherTests {
    private static let alone = ContentSource.partsTogether.callsBeforeWaiting
    private static let partBytes = 5_000

    private let storage = InMemoryStorage()
    private let gate = InMemoryGate()
    private let source: ContentSource
    private let key: StorageKey
    private let version: ObjectVersion
    private let bytes = GatewayFixture.pattern(200_000)

    init() throws {
        key = try StorageKey("films/a.mp4")
        version = try GatewayFixture.version("v1")
        storage.put(key, bytes: bytes, version: version)
        source = ContentSource(
            metadata: InMemoryMetadata(), storage: storage, cacheBytes: 0, logger: Logger(label: "test"))
    }

    /// Asks for so many parts while those that came first are held up: the last `waiting` of them go together.
    ///
    /// - Returns: What came of each.
    private func read(waiting: Int) async throws -> [Result<Chunk, ServiceError>] {
        storage.onRead(InMemoryStorage.gate(gate))
        return try await withThrowingTaskGroup(of: (index: Int, result: Result<Chunk, ServiceError>).self) { group in
            for index in 0..<Self.alone + waiting {
                let address = ChunkAddress(
                    key: key, version: version, index: Int64(index), chunkBytes: Self.partBytes)
                group.addTask {
                    let result = await part(address)
                    return (index: index, result: result)
                }
                // One after the other, so that it is known who waits.
                if index < Self.alone { try await until { storage.counts.readsInFlight == index + 1 } }
            }
            try await until { source.partsUnderWay == Self.alone + waiting }
            gate.open()
            return try await group.reduce(into: [Int: Result<Chunk, ServiceError>]()) { $0[$1.index] = $1.result }
                .sorted { $0.key < $1.key }.map(\.value)
        }
    }

    private func part(_ address: ChunkAddress) async -> Result<Chunk, ServiceError> {
        do throws(ServiceError) {
            return .success(try await source.part(address, deadline: .after(.seconds(30))))
        } catch {
            return .failure(error)
        }
    }

    private func expect(_ result: Result<Chunk, ServiceError>, isPart index: Int) throws {
        #expect(try result.get().bytes == bytes.getSlice(at: index * Self.partBytes, length: Self.partBytes))
    }

    @Test func whatComesWhileEnoughIsUnderWayIsReadByOneCall() async throws {
        let results = try await read(waiting: 12)
        for (index, result) in results.enumerated() { try expect(result, isPart: index) }
        #expect(storage.counts.readsTogether == [12])
        #expect(storage.counts.reads == Self.alone + 12)
    }

    /// It may be of an earlier version, or one of the parts may be what workers die of.
    @Test(arguments: [ServiceError.Code.unimplemented, .internal, .invalidArgument])
    func whereSuchACallCannotBeAnsweredEachPartIsAskedFor(code: ServiceError.Code) async throws {
        storage.onReadTogether(InMemoryStorage.failure(code))
        let results = try await read(waiting: 5)
        for (index, result) in results.enumerated() { try expect(result, isPart: index) }
        #expect(storage.counts.readsTogether == [5])
        #expect(storage.counts.reads == Self.alone + 5)
    }

    @Test(arguments: [ServiceError.Code.overloaded, .unavailable, .deadlineExceeded])
    func aFailureThatMayPassIsTheFailureOfAllOfIt(code: ServiceError.Code) async throws {
        storage.onReadTogether(InMemoryStorage.failure(code))
        let results = try await read(waiting: 3)
        for index in 0..<Self.alone { try expect(results[index], isPart: index) }
        for result in results.dropFirst(Self.alone) {
            guard case .failure(let error) = result else {
                Issue.record("\(result) is no failure.")
                continue
            }
            #expect(error.code == code)
        }
        #expect(storage.counts.reads == Self.alone)
    }

    @Test func aPartThatIsNotTheOneAskedForFailsAlone() async throws {
        let falsified = Int64((Self.alone + 1) * Self.partBytes)
        storage.alterChunks { chunk in
            var chunk = chunk
            if chunk.offset == falsified { chunk.offset += 1 }
            return chunk
        }
        let results = try await read(waiting: 3)
        for (index, result) in results.enumerated() where index != Self.alone + 1 {
            try expect(result, isPart: index)
        }
        guard case .failure(let error) = results[Self.alone + 1] else {
            Issue.record("The wrong chunk was taken.")
            return
        }
        #expect(error.code == .corrupt)
    }
}
