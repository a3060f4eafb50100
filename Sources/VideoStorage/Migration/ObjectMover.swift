import Domain
import Logging
import Metrics
import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Moves the bytes of one object from one provider to another.
///
/// The copy is an upload of its own, at a location that no other has; the collector knows of it. When the whole copy has
/// been read back and has the right checksum, one update of the entry names the new place and retires the old blob. A worker
/// that dies before leaves a copy that nobody sees; one that dies after has nothing left to do. Two that move one object
/// make two copies, and the update takes the first.
struct ObjectMover: Sendable {
    /// How many blocks are on their way to the target at once: enough that reading and writing overlap. With the largest
    /// blocks they take 32 MiB.
    private static let maxBlocksInFlight = 4
    /// How often it is noted that the copying goes on, in seconds.
    private static let noteSeconds: TimeInterval = 1
    /// How long one call may take, in seconds. There is no limit for the whole: a move goes on for as long as bytes flow.
    private static let callSeconds = 60
    /// How long a target may take to put the blocks together, in seconds. S3 speaks of minutes for large objects.
    private static let commitSeconds = 600
    /// A move that nobody has noted for this long, in seconds, has stopped: its worker is gone. More than a call takes.
    private static let stoppedSeconds: TimeInterval = 120
    /// How often to look at a move that goes on at another worker.
    private static let lookPause = Duration.seconds(1)
    private static let maxMovesSeen = 1_000

    private let storage: ObjectStorage
    private let register: any UploadRegister
    private let catalogue: any Catalogue
    private let providers: ProviderSet
    private let metrics: StorageMetrics
    private let logger: Logger
    private let now: @Sendable () -> Date

    /// Puts a mover together.
    init(
        storage: ObjectStorage, register: any UploadRegister, catalogue: any Catalogue, providers: ProviderSet,
        metrics: StorageMetrics, logger: Logger, now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.storage = storage
        self.register = register
        self.catalogue = catalogue
        self.providers = providers
        self.metrics = metrics
        self.logger = logger
        self.now = now
    }

    /// See ``Domain/StorageAdministration/move(_:deadline:)``. It takes as long as the bytes take.
    func move(_ move: ObjectMove) async throws(ServiceError) -> MoveOutcome {
        guard let target = providers.provider(named: ProviderName(move.target)) else {
            throw ServiceError(.invalidArgument, "There is no provider \"\(move.target)\"; set its variables.")
        }
        while move.isContinued, try await goesOn(move) { try await rest() }
        // With a look at the blob: one that somebody has changed by hand is moved as it is now.
        let entry = try await storage.current(move.key, deadline: Self.callDeadline)
        if entry.provider == target.name { return .alreadyThere }
        if let source = move.source, entry.provider.description != source { return .elsewhere }
        guard entry.size <= target.limits.maxBlobBytes else {
            throw ServiceError(
                .tooLarge,
                "\"\(move.key)\" has \(entry.size) bytes; \(target.name) takes \(target.limits.maxBlobBytes) at the most."
            )
        }
        let copy = try await begin(entry, target)
        do {
            let content = try await fill(copy, from: entry, in: target, move)
            return try await enter(content, of: copy, replacing: entry)
        } catch {
            await giveUp(copy, in: target)
            throw error
        }
    }

    private static var callDeadline: Deadline { .after(.seconds(callSeconds)) }

    // MARK: - At another worker

    /// Whether the object is being moved there, by a worker that lives.
    private func goesOn(_ move: ObjectMove) async throws(ServiceError) -> Bool {
        let moment = now().addingTimeInterval(-Self.stoppedSeconds)
        return try await register.moves(limit: Self.maxMovesSeen, deadline: Self.callDeadline).contains { copy in
            copy.key == move.key && copy.provider.description == move.target && copy.touchedAt > moment
        }
    }

    private func rest() async throws(ServiceError) {
        do {
            try await Task.sleep(for: Self.lookPause)
        } catch {
            throw ServiceError(.unavailable, "The storage worker is stopping; try again.")
        }
    }

    // MARK: - The copy

    /// What a copy is in the end.
    private struct Content {
        var checksum: String
        var validator: BlobValidator
    }

    private func begin(
        _ entry: CatalogueEntry, _ target: any StorageProvider
    ) async throws(ServiceError) -> Upload {
        let deadline = Self.callDeadline
        let id = UploadID.random()
        let location = try Upload.location(of: id, for: .move)
        let handle = try await target.begin(location, contentType: entry.contentType, deadline: deadline)
        let moment = now().inWholeMilliseconds
        let copy = Upload(
            id: id, key: entry.key, purpose: .move, expectation: Upload.Expectation(entry), provider: target.name,
            location: location, handle: handle, contentType: entry.contentType, announcedSize: entry.size,
            state: .open, createdAt: moment, touchedAt: moment)
        guard try await register.enter(copy, deadline: deadline) == nil else {
            throw ServiceError(.internal, "The random id \(id) was there already.")
        }
        return copy
    }

    /// Copies all bytes, has the target put them together, and reads them back.
    private func fill(
        _ copy: Upload, from entry: CatalogueEntry, in target: any StorageProvider, _ move: ObjectMove
    ) async throws(ServiceError) -> Content {
        var reader = BlobReader(
            try providers.provider(of: entry), entry.location, validator: entry.validator, size: entry.size,
            bytesPerSecond: move.bytesPerSecond)
        var notes = Notes(copy: copy.id, register: register, now: now)
        let blocks = try await stage(&reader, copy, in: target, &notes)
        let checksum = reader.checksum.text
        if let expected = entry.checksum, expected != checksum {
            throw ServiceError(
                .corrupt, "\"\(entry.key)\" has not the bytes of its checksum in \(entry.provider); it is not moved.")
        }
        let facts = try await target.commit(
            copy.handle, at: copy.location, blocks: blocks, contentType: copy.contentType,
            deadline: .after(.seconds(Self.commitSeconds)))
        guard facts.size == entry.size else {
            throw ServiceError(.corrupt, "\(target.name) has \(facts.size) bytes of \(entry.size) of \"\(entry.key)\".")
        }
        var copied = BlobReader(
            target, copy.location, validator: facts.validator, size: facts.size, bytesPerSecond: move.bytesPerSecond)
        let found = try await copied.finish { (offset) throws(ServiceError) in
            try await notes.note(entry.size / 2 + offset / 2)
        }
        guard found == checksum else {
            throw ServiceError(.corrupt, "\(target.name) gives back other bytes of \"\(entry.key)\" than it was given.")
        }
        return Content(checksum: checksum, validator: facts.validator)
    }

    /// Cuts what is read into blocks and stages them, some at a time.
    private func stage(
        _ reader: inout BlobReader, _ copy: Upload, in target: any StorageProvider, _ notes: inout Notes
    ) async throws(ServiceError) -> [StagedBlock] {
        let blocks = await withTaskGroup(of: Result<StagedBlock, ServiceError>.self) { group in
            defer { group.cancelAll() }
            return await stage(&reader, copy, in: target, &notes, &group)
        }
        return try blocks.get().sorted { $0.index < $1.index }
    }

    private func stage(
        _ reader: inout BlobReader, _ copy: Upload, in target: any StorageProvider, _ notes: inout Notes,
        _ group: inout TaskGroup<Result<StagedBlock, ServiceError>>
    ) async -> Result<[StagedBlock], ServiceError> {
        var staged: [StagedBlock] = []
        var index = 0
        do throws(ServiceError) {
            while let block = try await Self.block(of: target.limits.blockBytes, from: &reader, &notes) {
                if index - staged.count >= Self.maxBlocksInFlight, let result = await group.next() {
                    staged.append(try result.get())
                }
                let number = index
                group.addTask { await Self.stage(block, number, copy, in: target) }
                index += 1
            }
            while let result = await group.next() { staged.append(try result.get()) }
            return .success(staged)
        } catch {
            return .failure(error)
        }
    }

    private static func stage(
        _ bytes: ByteBuffer, _ index: Int, _ copy: Upload, in target: any StorageProvider
    ) async -> Result<StagedBlock, ServiceError> {
        do throws(ServiceError) {
            let receipt = try await target.stage(
                copy.handle, at: copy.location, index: index, bytes: bytes,
                deadline: .after(.seconds(callSeconds)))
            return .success(StagedBlock(index: index, size: bytes.readableBytes, receipt: receipt))
        } catch {
            return .failure(error)
        }
    }

    /// As many bytes as a block has; fewer only at the end, where there are none in the end.
    private static func block(
        of count: Int, from reader: inout BlobReader, _ notes: inout Notes
    ) async throws(ServiceError) -> ByteBuffer? {
        guard var block = try await reader.next(upTo: count) else { return nil }
        try await notes.note(reader.offset / 2)
        while block.readableBytes < count, var more = try await reader.next(upTo: count - block.readableBytes) {
            block.writeBuffer(&more)
            try await notes.note(reader.offset / 2)
        }
        return block
    }

    /// Notes in the register how far a move has come, and so that it goes on.
    private struct Notes {
        let copy: UploadID
        let register: any UploadRegister
        let now: @Sendable () -> Date
        private var notedAt: Date

        init(copy: UploadID, register: any UploadRegister, now: @escaping @Sendable () -> Date) {
            self.copy = copy
            self.register = register
            self.now = now
            notedAt = now()
        }

        mutating func note(_ bytes: Int64) async throws(ServiceError) {
            let moment = now()
            guard moment.timeIntervalSince(notedAt) > noteSeconds else { return }
            notedAt = moment
            try await register.touch(
                copy, at: moment.inWholeMilliseconds, copiedBytes: bytes, deadline: callDeadline)
        }
    }

    // MARK: - The new place

    private func enter(
        _ content: Content, of copy: Upload, replacing entry: CatalogueEntry
    ) async throws(ServiceError) -> MoveOutcome {
        // Counted from before the look: see ``CollectionRules/overSeconds``.
        let deadline = Deadline.after(.seconds(Upload.namingSeconds))
        var moved = entry
        moved.provider = copy.provider
        moved.location = copy.location
        moved.validator = content.validator
        moved.checksum = content.checksum
        let retired = RetiredBlob(entry, since: now().inWholeMilliseconds)
        // Given up by the collector, because this worker was stopped for long? Then the copy is not safe any more.
        guard try await register.upload(copy.id, deadline: deadline)?.state == .open else {
            throw ServiceError(.unavailable, "The move of \"\(entry.key)\" took too long and was given up; try again.")
        }
        switch try await catalogue.put(
            moved, replacing: entry, noting: CatalogueNotes(retired: retired), deadline: deadline)
        {
        case .put:
            try? await register.remove(copy.id, in: .open, deadline: deadline)
            metrics.movedObjects.increment()
            metrics.movedBytes.increment(by: entry.size)
            logger.info(
                "moved an object",
                metadata: [
                    "key": "\(PrintableText(entry.key.description))", "from": "\(entry.provider)",
                    "to": "\(copy.provider)", "bytes": "\(entry.size)",
                ])
            return .moved
        case .found(let present):
            // The answer to an update that was carried out may have been lost.
            if present.location == copy.location { return .moved }
            guard present.version == entry.version, present.state == .committed, present.provider == copy.provider
            else {
                throw ServiceError(.conflict, "\"\(entry.key)\" has changed while it was moved; move it again.")
            }
            await giveUp(copy, in: providers.provider(named: copy.provider))
            return .alreadyThere
        }
    }

    /// Leaves a copy to the collector. A worker that dies before it can do this leaves it to the collector as well, later.
    private func giveUp(_ copy: Upload, in target: (any StorageProvider)?) async {
        let deadline = Self.callDeadline
        _ = try? await register.advance(
            copy.id, from: [.open], to: .aborted, content: nil, at: now().inWholeMilliseconds, deadline: deadline)
        try? await target?.abort(copy.handle, at: copy.location, deadline: deadline)
    }
}
