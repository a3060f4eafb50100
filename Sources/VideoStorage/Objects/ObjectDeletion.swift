import Contracts
import Domain
import Logging
import RPC

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Deletes the objects of videos that were deleted.
///
/// One update makes the entry say that the object is deleted, retires its blob and keeps the event that tells it. From then
/// on it is not found, and what lies in its place is not adopted; who is in the middle of it can finish. The collector deletes
/// the blob, and at last the entry.
struct ObjectDeletion: Sendable {
    /// How often an entry may change while it is being deleted.
    private static let maxAttempts = 8
    /// How long an event is kept back while the database is away, in seconds: longer than an election or a restart, and less
    /// than the half hour after which RabbitMQ takes it back.
    private static let patienceSeconds = 600
    private static let pauseSeconds = 1
    private static let attemptSeconds = 20

    private let storage: ObjectStorage
    private let catalogue: any Catalogue
    private let outbox: OutboxTeller
    private let logger: Logger
    private let now: @Sendable () -> Date

    /// Puts it together.
    init(
        storage: ObjectStorage, catalogue: any Catalogue, outbox: OutboxTeller, logger: Logger,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.storage = storage
        self.catalogue = catalogue
        self.outbox = outbox
        self.logger = logger
        self.now = now
    }

    /// Handles `metadata.video.deleted`. A failure that may pass is tried again here, since an event that has failed some
    /// times is put aside by the broker.
    func handle(_ event: Event) async throws(ServiceError) {
        let video = try VideoDeleted(event)
        let key: StorageKey
        do throws(ServiceError) {
            key = try StorageKey(video.videoPath)
        } catch {
            return logger.notice(
                "a video without a usable key was deleted; there is no object of it",
                metadata: ["video": "\(video.id)", "reason": "\(error.message)"])
        }
        let end = Deadline.after(.seconds(Self.patienceSeconds))
        while true {
            do throws(ServiceError) {
                return try await delete(key, deadline: .after(.seconds(Self.attemptSeconds)))
            } catch {
                let mayPass = error.isTransient || error.code == .deadlineExceeded
                guard mayPass, !end.hasPassed(), !Task.isCancelled else { throw error }
                logger.warning("an object is not deleted yet", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: .seconds(Self.pauseSeconds))
        }
    }

    /// Deletes an object. Idempotent: one that is not there, or is deleted already, is left as it is.
    func delete(_ key: StorageKey, deadline: Deadline) async throws(ServiceError) {
        for _ in 0..<Self.maxAttempts {
            guard let entry = try await find(key, deadline: deadline), entry.state == .committed else { return }
            var deleted = entry
            deleted.state = .deleted
            let event = try ObjectDeleted(key: key, version: entry.version).event()
            let notes = CatalogueNotes(
                retired: RetiredBlob(entry, since: now().inWholeMilliseconds), event: event)
            guard case .put = try await catalogue.put(deleted, replacing: entry, noting: notes, deadline: deadline)
            else { continue }
            outbox.tell(event, of: key)
            return logger.info(
                "deleted an object",
                metadata: ["key": "\(PrintableText(key.description))", "version": "\(entry.version)"])
        }
        throw ServiceError(.unavailable, "\"\(key)\" keeps changing; it is deleted later.")
    }

    /// The entry, after a look at the blob, so that one that nobody has asked for yet is deleted as well. A blob that cannot be
    /// looked at does not keep the entry from being deleted.
    private func find(_ key: StorageKey, deadline: Deadline) async throws(ServiceError) -> CatalogueEntry? {
        do {
            return try await storage.current(key, deadline: deadline)
        } catch {
            let entry = try await catalogue.entry(for: key, deadline: deadline)
            guard entry == nil, error.code != .notFound else { return entry }
            throw error
        }
    }
}
