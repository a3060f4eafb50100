import Contracts
import Domain
import Logging
import Metrics
import NIOCore
import RPC

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Uploads: blocks go to the primary provider, and the catalogue names the blob that they make.
///
/// A worker keeps no state that another one would need. What it does to an upload it reads from the catalogue and writes
/// there, each step by one update that compares what it starts from; so any worker may do any step, and do it again. Only
/// that an upload is open is taken from memory for a moment, while its blocks come.
struct ObjectUploads: UploadService {
    /// A commit goes through seven steps when nobody interferes. Each interference (another worker, a migration) costs two.
    private static let maxSteps = 32

    private let register: any UploadRegister
    private let catalogue: any Catalogue
    private let providers: ProviderSet
    private let outbox: OutboxTeller
    private let touchSeconds: TimeInterval
    private let metrics: StorageMetrics
    private let logger: Logger
    private let now: @Sendable () -> Date
    private let open = OpenUploads()

    /// Puts the service together.
    ///
    /// - Parameters:
    ///   - register: Which uploads there are.
    ///   - catalogue: Which objects there are.
    ///   - providers: Where bytes go.
    ///   - outbox: Told of each event that a commit has written.
    ///   - touchSeconds: How often an upload that is being filled is marked as alive.
    ///   - metrics: Where commits are counted.
    ///   - logger: Where commits and lost races are written.
    ///   - now: The time of day.
    init(
        register: any UploadRegister, catalogue: any Catalogue, providers: ProviderSet, outbox: OutboxTeller,
        touchSeconds: TimeInterval, metrics: StorageMetrics, logger: Logger,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.register = register
        self.catalogue = catalogue
        self.providers = providers
        self.outbox = outbox
        self.touchSeconds = touchSeconds
        self.metrics = metrics
        self.logger = logger
        self.now = now
    }

    /// See ``Domain/UploadService``. The version that the upload will replace is the one that is current now.
    func begin(_ upload: NewUpload, deadline: Deadline) async throws(ServiceError) -> UploadPlan {
        if let present = try await register.upload(upload.id, deadline: deadline) {
            return try plan(for: upload, as: present)
        }
        let provider = providers.primary
        if let size = upload.size, size > provider.limits.maxBlobBytes {
            throw ServiceError(
                .tooLarge,
                "\"\(upload.key)\" has \(size) bytes; the storage takes \(provider.limits.maxBlobBytes) at the most.")
        }
        let entry = try await catalogue.entry(for: upload.key, deadline: deadline)
        let location = try Upload.location(of: upload.id, for: .content)
        let handle = try await provider.begin(location, contentType: upload.contentType, deadline: deadline)
        let moment = now().inWholeMilliseconds
        let begun = Upload(
            id: upload.id, key: upload.key, purpose: .content, expectation: Upload.Expectation(entry),
            provider: provider.name, location: location, handle: handle, contentType: upload.contentType,
            announcedSize: upload.size, state: .open, createdAt: moment, touchedAt: moment)
        guard let present = try await register.enter(begun, deadline: deadline) else {
            return UploadPlan(provider.limits)
        }
        // Another worker was asked the same and was first. Where the provider gave two handles, ours is of no use.
        if present.handle != handle {
            try? await provider.abort(handle, at: location, deadline: deadline)
        }
        return try plan(for: upload, as: present)
    }

    /// See ``Domain/UploadService``.
    func stage(_ block: UploadBlock, deadline: Deadline) async throws(ServiceError) -> StagedBlock {
        let upload = try await openUpload(block.upload, deadline: deadline)
        let provider = try providers.provider(named: upload.provider, of: upload.key)
        let count = block.bytes.readableBytes
        try provider.limits.check(index: block.index, byteCount: count)
        let end = Int64(block.index) * Int64(provider.limits.blockBytes) + Int64(count)
        if let size = upload.announcedSize, end > size {
            throw ServiceError(.invalidArgument, "The upload was announced with \(size) bytes, and there are more.")
        }
        let receipt: String
        do throws(ServiceError) {
            receipt = try await provider.stage(
                upload.handle, at: upload.location, index: block.index, bytes: block.bytes, deadline: deadline)
        } catch {
            open.forget(upload.id)
            throw error
        }
        let moment = now().inWholeMilliseconds
        if moment.timeIntervalSince(upload.touchedAt) > touchSeconds {
            try await register.touch(upload.id, at: moment, copiedBytes: nil, deadline: deadline)
            open.forget(upload.id)
        }
        return StagedBlock(index: block.index, size: count, receipt: receipt)
    }

    private func openUpload(_ id: UploadID, deadline: Deadline) async throws(ServiceError) -> Upload {
        if let upload = open.upload(id) { return upload }
        let asked = ContinuousClock.now
        guard let upload = try await register.upload(id, deadline: deadline), upload.state == .open else {
            throw CommitProgress.over(id)
        }
        open.remember(upload, asked: asked)
        return upload
    }

    /// See ``Domain/UploadService``. The steps are those of ``CommitProgress``.
    func commit(_ finished: FinishedUpload, deadline: Deadline) async throws(ServiceError) -> ObjectFacts {
        open.forget(finished.id)
        guard let upload = try await register.upload(finished.id, deadline: deadline), upload.purpose == .content else {
            throw CommitProgress.over(finished.id)
        }
        let provider = try providers.provider(named: upload.provider, of: upload.key)
        var progress = CommitProgress(
            finished: finished, size: try Self.size(of: finished, of: upload, provider.limits), upload: upload)
        for _ in 0..<Self.maxSteps {
            switch progress.next(now: now()) {
            case .answer(let content): return facts(of: progress.upload, content)
            case .refuse(let error): throw error
            case let step: try await take(step, provider, &progress, deadline: deadline)
            }
        }
        throw ServiceError(.unavailable, "The object \"\(upload.key)\" keeps changing; commit the upload once more.")
    }

    /// See ``Domain/UploadService``.
    func abort(_ id: UploadID, deadline: Deadline) async throws(ServiceError) {
        open.forget(id)
        guard let upload = try await register.upload(id, deadline: deadline) else { return }
        switch upload.state {
        case .committed, .lost, .aborted: return
        case .open: break
        case .committing:
            // It may be a version already; then it is over, and stays.
            guard try await !upload.isNamed(by: catalogue.entry(for: upload.key, deadline: deadline)) else { return }
        }
        let isAborted = try await register.advance(
            id, from: [upload.state], to: .aborted, content: nil, at: now().inWholeMilliseconds, deadline: deadline)
        guard isAborted, let provider = try? providers.provider(named: upload.provider, of: upload.key) else { return }
        // What is left when this fails, and what a block that is on its way brings back, is for the collector.
        try? await provider.abort(upload.handle, at: upload.location, deadline: deadline)
    }

    // MARK: - Steps

    private func take(
        _ step: CommitStep, _ provider: any StorageProvider, _ progress: inout CommitProgress, deadline: Deadline
    ) async throws(ServiceError) {
        let id = progress.upload.id
        switch step {
        case .fix(let content):
            try await advance(from: [.open], to: .committing, content, &progress, deadline: deadline)
        case .lookUp:
            progress.seen = .init(entry: try await catalogue.entry(for: progress.upload.key, deadline: deadline))
        case .assemble:
            progress.blob = try await provider.commit(
                progress.upload.handle, at: progress.upload.location, blocks: progress.finished.blocks,
                contentType: progress.upload.contentType, deadline: deadline)
        case .enter(let entry, let seen):
            try await enter(entry, replacing: seen, &progress, deadline: deadline)
        case .close:
            try await advance(
                from: [.committing, .aborted], to: .committed, progress.upload.content, &progress, deadline: deadline)
        case .lose:
            logger.info("an upload came second", metadata: ["upload": "\(id)"])
            try await advance(from: [.committing], to: .lost, progress.upload.content, &progress, deadline: deadline)
        case .answer, .refuse: break
        }
    }

    /// Whether this worker took the step or another one did, what the upload is now is read afterwards.
    private func advance(
        from states: [Upload.State], to state: Upload.State, _ content: Upload.Content?,
        _ progress: inout CommitProgress, deadline: Deadline
    ) async throws(ServiceError) {
        let id = progress.upload.id
        let isDone = try await register.advance(
            id, from: states, to: state, content: content, at: now().inWholeMilliseconds, deadline: deadline)
        if isDone {
            progress.upload.state = state
            progress.upload.content = content
            return
        }
        guard let upload = try await register.upload(id, deadline: deadline) else { throw CommitProgress.over(id) }
        progress.upload = upload
    }

    /// The step that everybody sees: names the blob as the version, notes what it replaces, and the event, in one update.
    private func enter(
        _ entry: CatalogueEntry, replacing seen: CatalogueEntry?, _ progress: inout CommitProgress, deadline: Deadline
    ) async throws(ServiceError) {
        // Counted from before the look: see ``CollectionRules/overSeconds``.
        let deadline = min(deadline, .after(.seconds(Upload.namingSeconds)))
        // Given up meanwhile? What was given up must not become visible, and its blob is no longer safe.
        guard let upload = try await register.upload(progress.upload.id, deadline: deadline) else {
            throw CommitProgress.over(progress.upload.id)
        }
        progress.upload = upload
        guard upload.state == .committing else { return }
        let event = try ObjectCommitted(
            key: entry.key, version: entry.version, size: entry.size, contentType: entry.contentType,
            checksum: entry.checksum, committedAt: entry.committedAt
        ).event()
        let retired = seen.flatMap { $0.state == .committed ? RetiredBlob($0, since: now().inWholeMilliseconds) : nil }
        let change = try await catalogue.put(
            entry, replacing: seen, noting: CatalogueNotes(retired: retired, event: event), deadline: deadline)
        switch change {
        case .put:
            outbox.tell(event, of: entry.key)
            metrics.commits.increment()
            progress.seen = .init(entry: entry)
            logger.info(
                "an upload became a version",
                metadata: [
                    "key": "\(PrintableText(entry.key.description))", "version": "\(entry.version)",
                    "bytes": "\(entry.size)", "replaced": "\(seen?.version.description ?? "-")",
                ])
        case .found(let present): progress.seen = .init(entry: present)
        }
    }

    // MARK: - Facts

    private func plan(for upload: NewUpload, as present: Upload) throws(ServiceError) -> UploadPlan {
        guard present.state == .open, present.purpose == .content, present.key == upload.key,
            present.contentType == upload.contentType, present.announcedSize == upload.size
        else {
            throw ServiceError(.conflict, "The id \(upload.id) stands for another upload, or one that is over.")
        }
        return UploadPlan(try providers.provider(named: present.provider, of: present.key).limits)
    }

    private func facts(of upload: Upload, _ content: Upload.Content) -> ObjectFacts {
        ObjectFacts(
            key: upload.key, version: upload.version, size: content.size, contentType: upload.contentType,
            modifiedAt: content.committedAt, chunkBytes: providers.chunkBytes(in: upload.provider))
    }

    private static func size(
        of finished: FinishedUpload, of upload: Upload, _ limits: ProviderLimits
    ) throws(ServiceError) -> Int64 {
        guard Checksum.isWellFormed(finished.checksum) else {
            throw ServiceError(
                .invalidArgument, "A checksum is \"sha256:\" and 64 lower-case hexadecimal digits; it is not.")
        }
        let size = try limits.totalBytes(of: finished.blocks)
        if let announced = upload.announcedSize, announced != size {
            throw ServiceError(.invalidArgument, "The upload was announced with \(announced) bytes and has \(size).")
        }
        return size
    }
}

extension Upload.Expectation {
    /// What an upload that begins now replaces; nothing when there is no object.
    init?(_ entry: CatalogueEntry?) {
        guard let entry, entry.state == .committed else { return nil }
        self.init(version: entry.version, committedAt: entry.committedAt)
    }
}

extension UploadPlan {
    /// How a provider wants an upload to be cut.
    init(_ limits: ProviderLimits) {
        self.init(blockBytes: limits.blockBytes, maxBlocks: limits.maxBlocks)
    }
}
