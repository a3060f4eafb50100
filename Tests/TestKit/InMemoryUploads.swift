public import Domain
import NIOCore
import Synchronization

/// A service for uploads that keeps its blocks in memory, puts what is committed into an ``InMemoryStorage``, and
/// misbehaves as it is told.
///
/// It keeps the promises of ``Domain/UploadService``; it takes the checksum as it is given.
public final class InMemoryUploads: UploadService {
    /// What it has been asked.
    public struct Counts: Sendable, Equatable {
        /// Calls of `begin`.
        public var begins = 0
        /// Calls of `stage`.
        public var stages = 0
        /// Calls of `stage` that have not been answered yet.
        public var stagesInFlight = 0
        /// The most of them at any one time.
        public var maxStagesInFlight = 0
        /// Calls of `commit`.
        public var commits = 0
        /// Calls of `abort`.
        public var aborts = 0

        /// Nothing yet.
        public init() {}
    }

    private enum Phase: Equatable {
        case open
        case committed(ObjectFacts)
        case over
    }

    private struct Upload {
        var facts: NewUpload
        var expected: ObjectVersion?
        var blocks: [Int: ByteBuffer] = [:]
        var phase = Phase.open
    }

    private struct State {
        var uploads: [UploadID: Upload] = [:]
        var counts = Counts()
        var checksums: [String] = []
        var interferences: [Call: InMemoryStorage.Interference] = [:]
    }

    /// A method.
    public enum Call: Sendable, Hashable {
        /// `begin`
        case begin
        /// `stage`
        case stage
        /// `commit`, before it has done anything.
        case commit
        /// `commit`, after it has been done: the answer is lost.
        case commitAnswer
        /// `abort`
        case abort
    }

    private let storage: InMemoryStorage
    private let plan: UploadPlan
    private let state = Mutex(State())

    /// A service whose objects go into a storage.
    public init(_ storage: InMemoryStorage, plan: UploadPlan = UploadPlan(blockBytes: 4_096, maxBlocks: 10_000)) {
        self.storage = storage
        self.plan = plan
    }

    /// What it has been asked so far.
    public var counts: Counts { state.withLock { $0.counts } }

    /// The checksums of what was committed, in that order.
    public var checksums: [String] { state.withLock { $0.checksums } }

    /// How many uploads have been begun and are not over, and what they hold in bytes.
    public var openUploads: (count: Int, bytes: Int) {
        let open = state.withLock { $0.uploads.values.filter { $0.phase == .open } }
        let bytes = open.reduce(0) { sum, upload in sum + upload.blocks.values.reduce(0) { $0 + $1.readableBytes } }
        return (open.count, bytes)
    }

    /// Says what shall happen to each call of a method from now on.
    public func on(_ call: Call, _ interference: InMemoryStorage.Interference?) {
        state.withLock { $0.interferences[call] = interference }
    }

    /// As the protocol says.
    public func begin(_ upload: NewUpload, deadline: Deadline) async throws(ServiceError) -> UploadPlan {
        try await interfere(.begin, deadline, counting: \.begins)
        let current = try? await storage.stat(upload.key, deadline: deadline).version
        let isKnown = state.withLock { state in
            guard let known = state.uploads[upload.id] else {
                state.uploads[upload.id] = Upload(facts: upload, expected: current)
                return true
            }
            return known.facts == upload && known.phase == .open
        }
        guard isKnown else { throw ServiceError(.conflict, "The upload \(upload.id) is another one.") }
        return plan
    }

    /// As the protocol says.
    public func stage(_ block: UploadBlock, deadline: Deadline) async throws(ServiceError) -> StagedBlock {
        state.withLock { state in
            state.counts.stagesInFlight += 1
            state.counts.maxStagesInFlight = max(state.counts.maxStagesInFlight, state.counts.stagesInFlight)
        }
        defer { state.withLock { $0.counts.stagesInFlight -= 1 } }
        try await interfere(.stage, deadline, counting: \.stages)
        guard (1...plan.blockBytes).contains(block.bytes.readableBytes), (0..<plan.maxBlocks).contains(block.index)
        else { throw ServiceError(.invalidArgument, "The block \(block.index) is not of the plan.") }
        let isOpen = state.withLock { state in
            guard state.uploads[block.upload]?.phase == .open else { return false }
            state.uploads[block.upload]?.blocks[block.index] = block.bytes
            return true
        }
        guard isOpen else { throw ServiceError(.notFound, "There is no open upload \(block.upload).") }
        return StagedBlock(index: block.index, size: block.bytes.readableBytes, receipt: "block-\(block.index)")
    }

    /// As the protocol says.
    public func commit(_ upload: FinishedUpload, deadline: Deadline) async throws(ServiceError) -> ObjectFacts {
        try await interfere(.commit, deadline, counting: \.commits)
        guard let known = state.withLock({ $0.uploads[upload.id] }), known.phase != .over else {
            throw ServiceError(.notFound, "There is no upload \(upload.id).")
        }
        if case .committed(let facts) = known.phase { return facts }
        let bytes = try assembled(upload, known)
        let current = try? await storage.stat(known.facts.key, deadline: deadline).version
        guard current == known.expected, let version = ObjectVersion(upload.id.description) else {
            state.withLock { $0.uploads[upload.id]?.phase = .over }
            throw ServiceError(.conflict, "The object \(known.facts.key) has got another version meanwhile.")
        }
        let facts = storage.put(
            known.facts.key, bytes: bytes, version: version, contentType: known.facts.contentType)
        state.withLock { state in
            state.uploads[upload.id]?.phase = .committed(facts)
            state.uploads[upload.id]?.blocks = [:]
            state.checksums.append(upload.checksum)
        }
        let after = state.withLock { $0.interferences[.commitAnswer] }
        try await after?(1, deadline)
        return facts
    }

    /// As the protocol says.
    public func abort(_ upload: UploadID, deadline: Deadline) async throws(ServiceError) {
        try await interfere(.abort, deadline, counting: \.aborts)
        state.withLock { state in
            guard state.uploads[upload]?.phase == .open else { return }
            state.uploads[upload]?.phase = .over
            state.uploads[upload]?.blocks = [:]
        }
    }

    private func assembled(_ upload: FinishedUpload, _ known: Upload) throws(ServiceError) -> ByteBuffer {
        var bytes = ByteBuffer()
        for (place, block) in upload.blocks.enumerated() {
            let isLast = place == upload.blocks.count - 1
            guard block.index == place, var held = known.blocks[place], held.readableBytes == block.size,
                isLast || block.size == plan.blockBytes
            else { throw ServiceError(.invalidArgument, "The block \(place) is missing or not of the plan.") }
            bytes.writeBuffer(&held)
        }
        return bytes
    }

    private func interfere(
        _ call: Call, _ deadline: Deadline, counting count: any WritableKeyPath<Counts, Int> & Sendable
    ) async throws(ServiceError) {
        let next = state.withLock { state in
            state.counts[keyPath: count] += 1
            return (state.counts[keyPath: count], state.interferences[call])
        }
        try await next.1?(next.0, deadline)
    }
}
