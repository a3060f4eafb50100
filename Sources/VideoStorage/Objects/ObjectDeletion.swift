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

    /// Handles `metadata.video.deleted`. A failure that may pass is tried again here, see ``Contracts/EventPatience``.
    func handle(_ event: Event) async throws(ServiceError) {
        let video = try VideoDeleted(event)
        // Another video plays the object.
        guard let path = video.videoPath else { return }
        let key: StorageKey
        do throws(ServiceError) {
            key = try StorageKey(path)
        } catch {
            return logger.notice(
                "a video without a usable key was deleted; there is no object of it",
                metadata: ["video": "\(video.id)", "reason": "\(error.message)"])
        }
        try await EventPatience.standard.handle("an object is not deleted yet", logger: logger) {
            (deadline) throws(ServiceError) in
            try await delete(key, with: video, deadline: deadline)
        }
    }

    /// Deletes an object. Idempotent: one that is not there, or is deleted already, is left as it is.
    ///
    /// - Parameters:
    ///   - key: Which object.
    ///   - video: The video that it goes with: what came to be after that was deleted stays. `nil` for whatever is there.
    ///   - deadline: When nobody waits for it any more.
    /// - Throws: What catalogue and provider throw.
    func delete(
        _ key: StorageKey, with video: VideoDeleted? = nil, deadline: Deadline
    ) async throws(ServiceError) {
        for _ in 0..<Self.maxAttempts {
            guard let entry = try await find(key, deadline: deadline), entry.state == .committed else { return }
            if let video, !Self.goes(entry, with: video) {
                return logger.notice(
                    "an object is newer than the deletion of its video, and stays",
                    metadata: ["key": "\(PrintableText(key.description))", "version": "\(entry.version)"])
            }
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

    /// Whether the bytes are those that the video had: the version that its record names, whatever clocks say, or one that came
    /// to be before the video was deleted. An event that comes late, or once more, so takes nothing that was put there since.
    private static func goes(_ entry: CatalogueEntry, with video: VideoDeleted) -> Bool {
        guard let moment = video.deletedAt else { return true }
        return entry.version == video.version || entry.committedAt <= moment
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
