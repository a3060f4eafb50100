import Contracts
import Domain
import RPC

/// Hears of uploads, for the case that whoever took one in could not tell: makes their videos ready.
struct ContentListener: Sendable {
    /// How long one event may take, in seconds.
    private static let handlingSeconds = 10

    /// Knows the videos.
    let metadata: any MetadataService

    /// Handles one event; one that is not known here is well.
    func handle(_ event: Event) async throws {
        guard event.name == StorageEvents.objectCommitted else { return }
        let committed = try ObjectCommitted(event)
        let content = VideoContent(
            version: committed.version, size: committed.size, contentType: committed.contentType,
            committedAt: committed.committedAt)
        _ = try await metadata.contentCommitted(
            CommittedContent(key: committed.key, content: content), deadline: .after(.seconds(Self.handlingSeconds)))
    }
}
