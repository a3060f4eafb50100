import Domain
import Logging
import NIOCore
import Synchronization
import TestKit
import Testing

@testable import VideoStreaming

/// The stream without a server: what it reads, holds, repeats and gives up.
struct ChunkStreamTests {
    private static let chunkBytes = 4_096
    private let storage = InMemoryStorage()
    private let bytes = GatewayFixture.pattern(40 * 4_096 + 17)

    private func makeStream(
        first: Int64 = 0, last: Int64? = nil, window: Int = 4, chunkDeadline: Duration = .seconds(60),
        stall: Duration = .seconds(60), readAheadBytes: Int = 1 << 20, cacheBytes: Int = 0
    ) async throws -> ChunkStream {
        let key = try StorageKey("a.mp4")
        let facts = storage.put(
            key, bytes: bytes, version: try GatewayFixture.version("v1"), chunkBytes: Self.chunkBytes)
        let limits = DeliveryLimits(
            readAheadChunks: window, chunkDeadline: chunkDeadline, stallBudget: stall,
            firstRetryPause: .milliseconds(5), maxRetryPause: .milliseconds(20))
        let source = ContentSource(
            metadata: InMemoryMetadata(), storage: storage, cacheBytes: cacheBytes, logger: Logger(label: "test"))
        let reader = ChunkReader(source: source, facts: facts, limits: limits)
        let range = try #require(ByteRange(first: first, last: last ?? facts.size - 1))
        let start = range.chunkIndexes(chunkBytes: Self.chunkBytes).lowerBound
        let chunk = try await reader.read(start, deadline: .after(.seconds(60)))
        return ChunkStream(
            reader: reader, range: range, first: chunk, budget: ReadAheadBudget(maxBytes: readAheadBytes))
    }

    private func delivered(_ stream: ChunkStream) async throws -> (bytes: ByteBuffer, failure: (any Error)?) {
        let received = Mutex(ByteBuffer())
        do {
            try await stream.deliver { buffer in
                received.withLock { _ = $0.writeImmutableBuffer(buffer) }
            }
            return (received.withLock { $0 }, nil)
        } catch {
            return (received.withLock { $0 }, error)
        }
    }

    private func failureCode(_ error: (any Error)?) -> ServiceError.Code? {
        guard case .source(let failure)? = error as? StreamFailure else { return nil }
        return failure.code
    }

    @Test(arguments: [1, 2, 4, 64])
    func theBytesComeInOrderWhateverTheWindow(window: Int) async throws {
        // Later chunks are answered sooner than earlier ones.
        storage.onRead { (call, deadline) async throws(ServiceError) in
            let pause = Duration.milliseconds(call.isMultiple(of: 3) ? 8 : call.isMultiple(of: 2) ? 3 : 0)
            try await InMemoryStorage.delay(pause)(call, deadline)
        }
        let result = try await delivered(makeStream(window: window))
        #expect(result.failure == nil)
        #expect(result.bytes == bytes)
        #expect(storage.counts.maxReadsInFlight <= window)
        #expect(storage.counts.indexes.sorted() == Array(0...40))
    }

    @Test(
        arguments: [
            (0, 0), (4_095, 4_096), (4_096, 8_191), (1, 40 * 4_096 + 16), (40 * 4_096, 40 * 4_096 + 16),
            (10_000, 10_000),
        ] as [(Int64, Int64)])
    func aRangeIsCutFromItsChunks(first: Int64, last: Int64) async throws {
        let result = try await delivered(makeStream(first: first, last: last))
        #expect(result.bytes == bytes.getSlice(at: Int(first), length: Int(last - first + 1)))
        #expect(storage.counts.reads == Int(last / 4_096 - first / 4_096 + 1))
    }

    @Test func whatIsInMemoryIsSentInOneGoAndTheRestIsReadAheadInTime() async throws {
        // A chunk of the storage in memory counts with all of its object.
        let stream = try await makeStream(window: 4, cacheBytes: 1 << 26)
        for index in 0..<10 { _ = try await stream.reader.read(Int64(index), deadline: .after(.seconds(60))) }
        #expect(storage.counts.reads == 10)
        let gate = InMemoryGate()
        storage.onRead { (call, _) throws(ServiceError) in
            if call == 12 { gate.open() }
        }
        let (runs, taken) = (Tally(), Tally())
        let received = Mutex(ByteBuffer())
        let take: @Sendable (ByteBuffer) async throws -> Void = { piece in
            received.withLock { _ = $0.writeImmutableBuffer(piece) }
            // The viewer is given chunk 8; with it the window holds four, of which 10 and 11 are not in memory.
            if taken.up() == 9 { try await gate.pass(deadline: .after(.seconds(10))) }
        }
        try await stream.deliver(to: TakingSink(began: { runs.up() }, take: take))
        #expect(received.withLock { $0 } == bytes)
        #expect(storage.counts.indexes.sorted() == Array(0...40))
        // Seven at once; from then on each with what is read ahead.
        #expect(runs.count == 41 - 6)
    }

    @Test func whatWasReadAheadLeavesTheBudgetWithItsChunk() async throws {
        let stream = try await makeStream(window: 4, cacheBytes: 1 << 26)
        for index in [1] + Array(3...40) {
            _ = try await stream.reader.read(Int64(index), deadline: .after(.seconds(60)))
        }
        let held = Mutex<[Int]>([])
        try await stream.deliver { _ in held.withLock { $0.append(stream.budget.held) } }
        // Chunk 2 is read ahead while the viewer has chunk 1, and all others are in memory.
        #expect(held.withLock { $0 } == [0, 4_096, 4_096] + Array(repeating: 0, count: 38))
    }

    @Test func theWindowGrowsFromOneAndNeverPastItsLimit() {
        var window = ReadAheadWindow(limit: 5)
        var sizes: [Int] = []
        for _ in 0..<5 {
            sizes.append(window.chunks)
            window.advance()
        }
        #expect(sizes == [1, 2, 4, 5, 5])
        #expect(ReadAheadWindow(limit: 0).chunks == 1)
    }

    @Test func aViewerWhoTakesNothingStopsTheReading() async throws {
        let stream = try await makeStream(window: 4)
        let gate = InMemoryGate()
        let taken = Tally()
        let storage = storage
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                try? await stream.deliver { _ in
                    let count = taken.up()
                    if count == 4 { try await gate.pass(deadline: .after(.seconds(10))) }
                }
            }
            await Self.settle { storage.counts }
            // Three chunks were taken, the fourth is in the viewer's hands: with it the window holds four.
            #expect(storage.counts.reads == 7)
            #expect(storage.counts.readsInFlight == 0)
            gate.open()
            await group.waitForAll()
        }
        #expect(taken.count == 41)
        #expect(storage.counts.reads == 41)
    }

    @Test(arguments: [ServiceError.Code.unavailable, .overloaded, .deadlineExceeded])
    func aFailureThatPassesCostsAPauseOnly(code: ServiceError.Code) async throws {
        let stream = try await makeStream()
        storage.onRead(InMemoryStorage.failure(code) { (10...25).contains($0) })
        let result = try await delivered(stream)
        #expect(result.failure == nil)
        #expect(result.bytes == bytes)
    }

    @Test func aWorkerThatDoesNotAnswerIsAskedAgain() async throws {
        let stream = try await makeStream(chunkDeadline: .milliseconds(30))
        let gate = InMemoryGate()
        storage.onRead { (call, deadline) async throws(ServiceError) in
            if (8...13).contains(call) { try await gate.pass(deadline: deadline) }
        }
        let result = try await delivered(stream)
        #expect(result.failure == nil)
        #expect(result.bytes == bytes)
    }

    @Test func aStallLongerThanItsBudgetCutsTheStream() async throws {
        let stream = try await makeStream(stall: .milliseconds(150))
        storage.onRead(InMemoryStorage.failure(.unavailable) { $0 >= 10 })
        let started = ContinuousClock.now
        let result = try await delivered(stream)
        #expect(failureCode(result.failure) == .unavailable)
        #expect(started.duration(to: .now) > .milliseconds(75))
        #expect(result.bytes == bytes.getSlice(at: 0, length: result.bytes.readableBytes))
        #expect(storage.counts.maxReadsInFlight <= 4)
    }

    @Test func aViewerWhoPausesLongerThanTheStallBudgetLosesNothing() async throws {
        let stream = try await makeStream(stall: .seconds(2))
        storage.onRead(InMemoryStorage.failure(.unavailable) { (5...9).contains($0) })
        let count = Tally()
        try await stream.deliver { _ in
            let call = count.up()
            if call == 3 { try await Task.sleep(for: .milliseconds(2_500)) }
        }
        #expect(count.count == 41)
    }

    @Test(arguments: [ServiceError.Code.conflict, .corrupt, .notFound, .internal, .invalidArgument])
    func aFailureThatStaysCutsAtOnceAndIsNotTriedAgain(code: ServiceError.Code) async throws {
        let stream = try await makeStream(window: 1, stall: .seconds(30))
        storage.onRead(InMemoryStorage.failure(code) { $0 >= 6 })
        let result = try await delivered(stream)
        #expect(failureCode(result.failure) == code)
        #expect(result.bytes == bytes.getSlice(at: 0, length: 5 * 4_096))
        #expect(storage.counts.reads == 6)
    }

    @Test func anObjectThatIsReplacedIsNeverSpliced() async throws {
        let stream = try await makeStream(window: 2)
        let key = try StorageKey("a.mp4")
        let next = try GatewayFixture.version("v2")
        let storage = storage
        let other = ByteBuffer(repeating: 0xEE, count: bytes.readableBytes)
        let received = Mutex(ByteBuffer())
        await #expect(throws: StreamFailure.self) {
            try await stream.deliver { buffer in
                received.withLock { _ = $0.writeImmutableBuffer(buffer) }
                if received.withLock({ $0.readableBytes }) == 5 * 4_096 {
                    storage.put(key, bytes: other, version: next, chunkBytes: 4_096)
                }
            }
        }
        let sent = received.withLock { $0 }
        #expect(sent == bytes.getSlice(at: 0, length: sent.readableBytes))
        #expect(sent.readableBytes < bytes.readableBytes)
    }

    @Test(arguments: ["version", "offset", "size", "short", "long", "empty"])
    func anAnswerThatDoesNotFitIsNotSent(lie: String) async throws {
        let stream = try await makeStream(window: 1)
        let other = try GatewayFixture.version("v2")
        storage.alterChunks { chunk in
            guard chunk.offset == 3 * 4_096 else { return chunk }
            var chunk = chunk
            switch lie {
            case "version": chunk.version = other
            case "offset": chunk.offset += 4_096
            case "size": chunk.objectSize += 1
            case "short": chunk.bytes = chunk.bytes.getSlice(at: chunk.bytes.readerIndex, length: 4_095) ?? ByteBuffer()
            case "long": chunk.bytes.writeInteger(UInt8(0))
            default: chunk.bytes = ByteBuffer()
            }
            return chunk
        }
        let result = try await delivered(stream)
        #expect(failureCode(result.failure) == (lie == "version" ? .conflict : .corrupt))
        #expect(result.bytes == bytes.getSlice(at: 0, length: 3 * 4_096))
    }

    @Test func aViewerWhoFailsEndsTheReading() async throws {
        struct Gone: Error {}
        let stream = try await makeStream()
        storage.onRead(InMemoryStorage.delay(.milliseconds(20)))
        await #expect {
            try await stream.deliver { _ in throw Gone() }
        } throws: { error in
            if case StreamFailure.viewer(let cause) = error { cause is Gone } else { false }
        }
        #expect(storage.counts.readsInFlight == 0)
        #expect(storage.counts.reads <= 2)
    }

    @Test func cancellationEndsWhatIsBeingRead() async throws {
        let stream = try await makeStream(chunkDeadline: .seconds(60), stall: .seconds(60))
        let gate = InMemoryGate()
        storage.onRead(InMemoryStorage.gate(gate))
        let started = ContinuousClock.now
        let storage = storage
        await withTaskGroup(of: (any Error)?.self) { group in
            group.addTask {
                do {
                    try await stream.deliver { _ in }
                    return nil
                } catch {
                    return error
                }
            }
            await Self.settle { storage.counts }
            #expect(storage.counts.readsInFlight == 2)
            group.cancelAll()
            #expect(await group.next() is CancellationError)
        }
        // Nobody waits for them any more, so they are cancelled; they end when they notice.
        await Self.settle { storage.counts }
        #expect(storage.counts.readsInFlight == 0)
        #expect(storage.counts.reads == 3)
        #expect(started.duration(to: .now) < .seconds(50))
    }

    /// Waits until a value has not changed for a while.
    static func settle<Value: Equatable>(_ value: () -> Value) async {
        var last = value()
        var quiet = 0
        while quiet < 10 {
            try? await Task.sleep(for: .milliseconds(20))
            let current = value()
            quiet = current == last ? quiet + 1 : 0
            last = current
        }
    }
}
