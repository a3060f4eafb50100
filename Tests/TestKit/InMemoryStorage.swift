public import Domain
public import NIOCore
import Synchronization

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// A storage service that holds its objects in memory and misbehaves as it is told.
///
/// It keeps the promises of ``Domain/StorageService``: deadlines and cancellation end a call, a chunk of another version
/// is a conflict.
public final class InMemoryStorage: StorageService {
    /// What it does to a call before it answers: wait, or fail. It is handed the call's number, from 1.
    public typealias Interference = @Sendable (_ call: Int, _ deadline: Deadline) async throws(ServiceError) -> Void

    /// What it has been asked.
    public struct Counts: Sendable, Equatable {
        /// Calls of `stat`.
        public var stats = 0
        /// Calls of `open`; each is also counted as a `stat` and, where there are bytes, as a `read`.
        public var opens = 0
        /// How many chunks each call for several was for; each chunk is also counted as a `read`.
        public var readsTogether: [Int] = []
        /// Calls of `read`.
        public var reads = 0
        /// Calls of `read` that have not been answered yet.
        public var readsInFlight = 0
        /// The most of them at any one time.
        public var maxReadsInFlight = 0
        /// Calls of `read` during which the task was cancelled.
        public var cancelledReads = 0
        /// The index of each chunk that was asked for, in that order.
        public var indexes: [Int64] = []
        /// The size of a chunk that each of these was asked for with.
        public var chunkSizes: [Int] = []

        /// Nothing yet.
        public init() {}
    }

    private struct Object {
        var facts: ObjectFacts
        var bytes: ByteBuffer
    }

    private struct State {
        var objects: [StorageKey: Object] = [:]
        var counts = Counts()
        var onRead: Interference?
        var onStat: Interference?
        var onOpen: Interference?
        var onReadTogether: Interference?
        var alter: (@Sendable (Chunk) -> Chunk)?
    }

    private let state = Mutex(State())

    /// An empty storage.
    public init() {}

    /// What it has been asked so far.
    public var counts: Counts { state.withLock { $0.counts } }

    /// Puts an object, in place of the one that has the key.
    @discardableResult
    public func put(
        _ key: StorageKey, bytes: ByteBuffer, version: ObjectVersion, contentType: String? = nil,
        modifiedAt: Date = Date(timeIntervalSince1970: 1_700_000_000), chunkBytes: Int = 4_096
    ) -> ObjectFacts {
        let facts = ObjectFacts(
            key: key, version: version, size: Int64(bytes.readableBytes), contentType: contentType,
            modifiedAt: modifiedAt, chunkBytes: chunkBytes)
        state.withLock { $0.objects[key] = Object(facts: facts, bytes: bytes) }
        return facts
    }

    /// Says what shall happen to each `read` from now on.
    public func onRead(_ interference: Interference?) {
        state.withLock { $0.onRead = interference }
    }

    /// Says what shall happen to each `stat` from now on.
    public func onStat(_ interference: Interference?) {
        state.withLock { $0.onStat = interference }
    }

    /// Says what shall happen to each `open` from now on, before it does what a `stat` and a `read` do.
    public func onOpen(_ interference: Interference?) {
        state.withLock { $0.onOpen = interference }
    }

    /// Says what shall happen to each call for several chunks from now on, before it does what a `read` of each does.
    public func onReadTogether(_ interference: Interference?) {
        state.withLock { $0.onReadTogether = interference }
    }

    /// Says how each chunk shall be falsified from now on.
    public func alterChunks(_ change: (@Sendable (Chunk) -> Chunk)?) {
        state.withLock { $0.alter = change }
    }

    /// As the protocol says.
    public func stat(_ key: StorageKey, deadline: Deadline) async throws(ServiceError) -> ObjectFacts {
        let (call, interfere) = state.withLock { state in
            state.counts.stats += 1
            return (state.counts.stats, state.onStat)
        }
        try await interfere?(call, deadline)
        return try object(key).facts
    }

    /// As the protocol says.
    public func read(_ chunk: ChunkAddress, deadline: Deadline) async throws(ServiceError) -> Chunk {
        let (call, interfere) = state.withLock { state in
            state.counts.reads += 1
            state.counts.readsInFlight += 1
            state.counts.maxReadsInFlight = max(state.counts.maxReadsInFlight, state.counts.readsInFlight)
            state.counts.indexes.append(chunk.index)
            state.counts.chunkSizes.append(chunk.chunkBytes)
            return (state.counts.reads, state.onRead)
        }
        defer {
            state.withLock { state in
                state.counts.readsInFlight -= 1
                if Task.isCancelled { state.counts.cancelledReads += 1 }
            }
        }
        try await interfere?(call, deadline)
        return try slice(chunk)
    }

    /// As the protocol says: a `read` of each, with what was said of that.
    public func read(
        together chunks: [ChunkAddress], deadline: Deadline
    ) async throws(ServiceError) -> [Result<Chunk, ServiceError>] {
        try StorageLimits.checkTogether(chunks)
        let (call, interfere) = state.withLock { state in
            state.counts.readsTogether.append(chunks.count)
            return (state.counts.readsTogether.count, state.onReadTogether)
        }
        try await interfere?(call, deadline)
        return await readEach(chunks, deadline: deadline)
    }

    /// As the protocol says: a `stat` and a `read`, with what was said of either.
    public func open(
        _ key: StorageKey, at start: ReadStart, deadline: Deadline
    ) async throws(ServiceError) -> OpenedObject {
        let (call, interfere) = state.withLock { state in
            state.counts.opens += 1
            return (state.counts.opens, state.onOpen)
        }
        try await interfere?(call, deadline)
        let facts = try await stat(key, deadline: deadline)
        guard let index = start.chunkIndex(size: facts.size, chunkBytes: facts.chunkBytes) else {
            return OpenedObject(facts: facts, first: nil)
        }
        let address = ChunkAddress(key: key, version: facts.version, index: index, chunkBytes: facts.chunkBytes)
        return OpenedObject(facts: facts, first: try await read(address, deadline: deadline))
    }

    private func object(_ key: StorageKey) throws(ServiceError) -> Object {
        guard let object = state.withLock({ $0.objects[key] }) else {
            throw ServiceError(.notFound, "There is no object \"\(key)\".")
        }
        return object
    }

    private func slice(_ chunk: ChunkAddress) throws(ServiceError) -> Chunk {
        let object = try object(chunk.key)
        guard object.facts.version == chunk.version else {
            throw ServiceError(.conflict, "The object \"\(chunk.key)\" has another version by now.")
        }
        let offset = chunk.index * Int64(chunk.chunkBytes)
        let count = min(Int64(chunk.chunkBytes), object.facts.size - offset)
        guard chunk.index >= 0, count > 0, let bytes = object.bytes.getSlice(at: Int(offset), length: Int(count)) else {
            throw ServiceError(.invalidArgument, "There is no chunk \(chunk.index).")
        }
        let answer = Chunk(version: chunk.version, offset: offset, objectSize: object.facts.size, bytes: bytes)
        return state.withLock { $0.alter }?(answer) ?? answer
    }
}

extension InMemoryStorage {
    /// Lets every call wait this long.
    public static func delay(_ duration: Duration) -> Interference {
        { (_, deadline) async throws(ServiceError) in
            try await InMemoryGate.pause(duration, deadline: deadline)
        }
    }

    /// Lets every call wait at a gate.
    public static func gate(_ gate: InMemoryGate) -> Interference {
        { (_, deadline) async throws(ServiceError) in
            try await gate.pass(deadline: deadline)
        }
    }

    /// Lets some calls fail.
    public static func failure(
        _ code: ServiceError.Code, calls: @escaping @Sendable (_ call: Int) -> Bool = { _ in true }
    ) -> Interference {
        { (call, _) throws(ServiceError) in
            if calls(call) { throw ServiceError(code, "Call \(call) fails as it was told.") }
        }
    }
}
