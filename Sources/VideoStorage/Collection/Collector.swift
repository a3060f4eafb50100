import Domain
import Logging
import Metrics
import ServiceLifecycle

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Clears up what is left behind: abandoned uploads, blobs that were retired, what is left of deleted objects.
///
/// Every worker does it, side by side: each step may be repeated. A blob is deleted only after the database has been asked
/// once more that no object lives in it. A blob that this service has not written itself is deleted only when it was
/// retired (replaced, deleted or moved on request) and is still in the state in which it was.
struct Collector: Sendable {
    /// How many of a kind one round takes; the next round takes the next.
    private static let batchCount = 100
    /// How long one step may take, in seconds.
    private static let stepSeconds = 30
    /// How long it may take, in seconds, to go through all uploads of a provider; Azure lists its blobs with them.
    private static let listSeconds = 300

    private let register: any UploadRegister
    private let catalogue: any Catalogue
    private let providers: ProviderSet
    private let rules: CollectionRules
    private let metrics: StorageMetrics
    private let logger: Logger
    private let searcher: OrphanSearcher

    /// Puts a collector together.
    init(
        register: any UploadRegister, catalogue: any Catalogue, providers: ProviderSet, rules: CollectionRules,
        metrics: StorageMetrics, logger: Logger
    ) {
        self.register = register
        self.catalogue = catalogue
        self.providers = providers
        self.rules = rules
        self.metrics = metrics
        self.logger = logger
        searcher = OrphanSearcher(register: register, catalogue: catalogue, providers: providers, rules: rules)
    }

    /// How long to wait between two calls of ``giveUpUnnamed(now:)``: nothing that it finds is younger than this.
    var unnamedPause: Duration { .seconds(rules.abandonedSeconds) }

    private var deadline: Deadline { .after(.seconds(Self.stepSeconds)) }

    /// Clears up once. What fails is logged and counted, and does not keep the rest from being done.
    ///
    /// - Parameter now: The time of day.
    /// - Returns: What was done.
    /// - Throws: When the database does not answer, so that nothing can be done.
    func collect(now: Date) async throws(ServiceError) -> CollectedCounts {
        var counts = CollectedCounts()
        try await giveUpAbandoned(now: now, &counts)
        try await clearOver(now: now, &counts)
        try await clearRetired(now: now, &counts)
        metrics.collectedBlobs.increment(by: counts.deletedBlobs)
        if counts != CollectedCounts() {
            logger.info(
                "cleared up",
                metadata: [
                    "abandoned_uploads": "\(counts.abandonedUploads)", "deleted_blobs": "\(counts.deletedBlobs)",
                    "failures": "\(counts.failures)",
                ])
        }
        return counts
    }

    // MARK: - Uploads

    /// Gives up the uploads that were begun in a provider and never noted: the worker died between the two. All uploads of the
    /// provider are listed for that, so it is done much less often than the rest.
    ///
    /// - Returns: How many there were.
    @discardableResult
    func giveUpUnnamed(now: Date) async -> Int {
        var count = 0
        for provider in providers.all {
            do throws(ServiceError) {
                let end = Deadline.after(.seconds(Self.listSeconds))
                count += try await searcher.giveUpUploads(in: provider, now: now, deadline: end)
            } catch {
                logger.warning(
                    "uploads that nothing names could not be looked for; it is tried again",
                    metadata: ["provider": "\(provider.name)", "error": "\(error)"])
            }
        }
        if count > 0 { logger.info("gave up uploads that nothing names", metadata: ["uploads": "\(count)"]) }
        return count
    }

    private func giveUpAbandoned(now: Date, _ counts: inout CollectedCounts) async throws(ServiceError) {
        let abandoned = try await register.uploads(
            in: [.open, .committing], of: names, touchedBefore: rules.abandonedBefore(now), limit: Self.batchCount,
            deadline: deadline)
        for upload in abandoned {
            await attempt("an abandoned upload", upload.location, &counts) { () throws(ServiceError) in
                let entry = try await catalogue.entry(for: upload.key, deadline: deadline)
                // Its worker died after the version had been named: only the note of it is missing.
                let isVersion = upload.purpose == .content && upload.isNamed(by: entry)
                return try await register.advance(
                    upload.id, from: [upload.state], to: isVersion ? .committed : .aborted, content: upload.content,
                    at: now, deadline: deadline) && !isVersion
            } onSuccess: {
                $0.abandonedUploads += 1
            }
        }
    }

    private func clearOver(now: Date, _ counts: inout CollectedCounts) async throws(ServiceError) {
        let over = try await register.uploads(
            in: [.aborted, .lost], of: names, touchedBefore: rules.overBefore(now), limit: Self.batchCount,
            deadline: deadline)
        for upload in over {
            await attempt("what an upload has left", upload.location, &counts) { () throws(ServiceError) in
                guard let provider = providers.provider(named: upload.provider) else { return false }
                try await provider.abort(upload.handle, at: upload.location, deadline: deadline)
                let isDeleted = try await delete(upload.location, in: provider)
                try await register.remove(upload.id, in: upload.state, deadline: deadline)
                return isDeleted
            } onSuccess: {
                $0.deletedBlobs += 1
            }
        }
        let committed = try await register.uploads(
            in: [.committed], of: names, touchedBefore: rules.committedBefore(now), limit: Self.batchCount,
            deadline: deadline)
        for upload in committed {
            await attempt("the note of an upload", upload.location, &counts) { () throws(ServiceError) in
                guard let provider = providers.provider(named: upload.provider) else { return false }
                // Usually there is nothing: what a worker or a machine that died in the middle of a commit has left.
                try await provider.abort(upload.handle, at: upload.location, deadline: deadline)
                try await register.remove(upload.id, in: .committed, deadline: deadline)
                return false
            } onSuccess: { _ in
            }
        }
    }

    /// The providers that this worker can clear. What lies in others is for workers that have them, and must not stand in the
    /// way of what can be done here.
    private var names: [ProviderName] { providers.all.map(\.name) }

    /// Deletes a blob that nothing names, not even as retired.
    ///
    /// - Returns: Whether there was one.
    private func delete(_ location: StorageKey, in provider: any StorageProvider) async throws(ServiceError) -> Bool {
        let named = try await catalogue.named(
            [location], in: provider.name, includingRetired: true, deadline: deadline)
        guard named.isEmpty else { return false }
        return try await deleteAll(at: location, in: provider)
    }

    /// Deletes a blob that this service has written, and whatever its provider has beside it (checksums), even where the blob
    /// itself is gone or never was.
    ///
    /// - Returns: Whether there was a blob.
    private func deleteAll(
        at location: StorageKey, in provider: any StorageProvider
    ) async throws(ServiceError) -> Bool {
        var isThere = true
        do {
            _ = try await provider.stat(location, deadline: deadline)
        } catch {
            guard error.code == .notFound else { throw error }
            isThere = false
        }
        try await provider.delete(location, deadline: deadline)
        return isThere
    }

    // MARK: - Retired blobs

    private func clearRetired(now: Date, _ counts: inout CollectedCounts) async throws(ServiceError) {
        let moment = rules.retiredBefore(now)
        let entries = try await catalogue.entriesToClear(
            retiredBefore: moment, in: names, limit: Self.batchCount, deadline: deadline)
        for entry in entries {
            for blob in entry.retired where blob.since < moment && names.contains(blob.provider) {
                await attempt("a retired blob", blob.location, &counts) { () throws(ServiceError) in
                    guard let provider = providers.provider(named: blob.provider) else { return false }
                    let isDeleted = try await delete(blob, in: provider)
                    try await catalogue.forget(blob, of: entry.key, deadline: deadline)
                    return isDeleted
                } onSuccess: {
                    $0.deletedBlobs += 1
                }
            }
            guard entry.state == .deleted else { continue }
            try await catalogue.removeDeleted(entry, deadline: deadline)
        }
    }

    /// Deletes the blob that was retired, and no other that may lie in its place by now.
    ///
    /// - Returns: Whether it was deleted.
    private func delete(_ blob: RetiredBlob, in provider: any StorageProvider) async throws(ServiceError) -> Bool {
        let named = try await catalogue.named(
            [blob.location], in: provider.name, includingRetired: false, deadline: deadline)
        guard named.isEmpty else { return false }
        // What this service has written is deleted whatever state it is in, with what the provider has beside it.
        if Upload.isOwn(blob.location) { return try await deleteAll(at: blob.location, in: provider) }
        do {
            let facts = try await provider.stat(blob.location, deadline: deadline)
            guard facts.validator == blob.validator else { return false }
        } catch {
            guard error.code == .notFound else { throw error }
            return false
        }
        try await provider.delete(blob.location, deadline: deadline)
        return true
    }

    private func attempt(
        _ what: String, _ location: StorageKey, _ counts: inout CollectedCounts,
        _ body: () async throws(ServiceError) -> Bool, onSuccess: (inout CollectedCounts) -> Void
    ) async {
        do throws(ServiceError) {
            if try await body() { onSuccess(&counts) }
        } catch {
            counts.failures += 1
            logger.warning(
                "\(what) could not be cleared up; it is tried again",
                metadata: ["location": "\(PrintableText(location.description))", "error": "\(error)"])
        }
    }
}

/// Runs a ``Collector`` for as long as the worker runs.
struct CollectorService: Service {
    let collector: Collector
    let pause: Duration
    let logger: Logger

    /// Clears up again and again until a graceful shutdown begins.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            // At the start, too: a worker that has died is most often started again.
            var nextSearch = ContinuousClock.now
            while !Task.isCancelled {
                // Workers that were started together need not all come at the same moment.
                try? await Task.sleep(for: pause * Double.random(in: 0.75...1.25))
                guard !Task.isCancelled else { return }
                do throws(ServiceError) {
                    _ = try await collector.collect(now: Date())
                } catch {
                    logger.warning("nothing could be cleared up", metadata: ["error": "\(error)"])
                }
                guard ContinuousClock.now >= nextSearch else { continue }
                await collector.giveUpUnnamed(now: Date())
                nextSearch = .now + collector.unnamedPause * Double.random(in: 0.75...1.25)
            }
        }
    }
}
