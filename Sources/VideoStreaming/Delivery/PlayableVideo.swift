import Domain
import Logging

/// What the gateway needs of a record to send the video's bytes, made once for each time the record is fetched.
struct PlayableVideo: Sendable, Equatable {
    /// The object that has the bytes.
    var key: StorageKey
    /// The media type that the record gives.
    var contentType: String?
    /// The value of `Content-Disposition`.
    var disposition: String

    /// Takes it from a record that can be played.
    ///
    /// - Throws: `notFound`, with the reason, when it cannot; `internal` when its `videoPath` is refused, which is the fault of
    ///   whoever wrote the record, not of the viewer.
    init(_ video: Video, logger: Logger) throws(ServiceError) {
        switch video.state {
        case .ready:
            break
        case .awaitingUpload:
            throw ServiceError(.notFound, "The video \(video.id) has no bytes yet: its upload is not finished.")
        case .deleted:
            throw ServiceError(.notFound, "There is no video \(video.id): it was deleted.")
        }
        key = try Self.key(of: video, logger: logger)
        contentType = video.contentType
        disposition = ContentDisposition.inline(title: video.title, key: key)
    }

    /// The key of a record. Why one is refused is for the log, not for the viewer.
    static func key(of video: Video, logger: Logger) throws(ServiceError) -> StorageKey {
        do throws(ServiceError) {
            return try StorageKey(video.videoPath)
        } catch {
            logger.warning(
                "refused the videoPath of a record",
                metadata: ["video": "\(video.id)", "reason": "\(error.message)"])
            throw ServiceError(.internal, "The record \(video.id) has a videoPath that is refused.", cause: error)
        }
    }
}
