import Contracts
import Domain
import Logging
import RPC

/// Hears of uploads, for the case that whoever took one in could not tell: makes their videos ready.
struct ContentListener: Sendable {
    /// Knows the videos.
    let metadata: any MetadataService
    /// Where failures are told that pass.
    let logger: Logger
    /// How long an event is kept back while the database is away.
    var patience = EventPatience.standard

    /// Handles one event; one that is not known here is well.
    func handle(_ event: Event) async throws {
        guard event.name == StorageEvents.objectCommitted else { return }
        let committed = try ObjectCommitted(event)
        let content = CommittedContent(
            key: committed.key,
            content: VideoContent(
                version: committed.version, size: committed.size, contentType: committed.contentType,
                committedAt: committed.committedAt))
        try await patience.handle("a video is not ready yet", logger: logger) { (deadline) throws(ServiceError) in
            _ = try await metadata.contentCommitted(content, deadline: deadline)
        }
    }
}
