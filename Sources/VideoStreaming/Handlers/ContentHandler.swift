import Domain
import HTTPTypes
import Logging

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Answers for a video's bytes: finds the record, asks storage about the object, plans the answer, and reads the first
/// chunk before the head is sent, so that an early failure is a problem document and not a response that is cut.
struct ContentHandler: Sendable {
    /// Knows which object a video's bytes are in.
    let metadata: any MetadataService
    /// Has the bytes.
    let storage: any StorageService
    /// Limits and deadlines.
    let configuration: GatewayConfiguration

    /// Answers GET or HEAD.
    func reply(to method: HTTPRequest.Method, fields: HTTPFields, id: VideoID, logger: Logger) async -> Reply {
        let deadline = configuration.requestDeadline
        do throws(ServiceError) {
            let video = try await metadata.find(id, deadline: deadline)
            try Self.checkPlayable(video)
            let key = try Self.key(of: video, logger: logger)
            do throws(ServiceError) {
                return try await reply(to: method, fields: fields, video: video, key: key, deadline: deadline)
            } catch  where error.code == .conflict {
                // Replaced between stat and read: once more with the new version, before anything is sent.
                return try await replyAfterReplacement(to: method, fields, video, key, deadline)
            }
        } catch {
            return Reply(error)
        }
    }

    private func reply(
        to method: HTTPRequest.Method, fields: HTTPFields, video: Video, key: StorageKey, deadline: Deadline
    ) async throws(ServiceError) -> Reply {
        let facts = try await stat(key, deadline: deadline)
        let planner = ResponsePlanner(
            facts: facts,
            contentType: MediaType.choose(stored: facts.contentType, recorded: video.contentType, key: key),
            now: try Self.now())
        let plan = planner.plan(method: method, fields: fields)
        switch plan.body {
        case .none:
            return Reply(status: plan.status, fields: plan.fields, body: .none)
        case .problem(let problem):
            return Reply(problem, fields: plan.fields)
        case .bytes(let range):
            let reader = ChunkReader(storage: storage, facts: facts, limits: configuration.delivery)
            let first = try await firstChunk(of: range, reader: reader, deadline: deadline)
            let stream = ChunkStream(reader: reader, range: range, first: first)
            return Reply(status: plan.status, fields: plan.fields, body: .stream(stream))
        }
    }

    private func replyAfterReplacement(
        to method: HTTPRequest.Method, _ fields: HTTPFields, _ video: Video, _ key: StorageKey, _ deadline: Deadline
    ) async throws(ServiceError) -> Reply {
        do throws(ServiceError) {
            return try await reply(to: method, fields: fields, video: video, key: key, deadline: deadline)
        } catch  where error.code == .conflict {
            throw ServiceError(.unavailable, "The video is being replaced just now; try again.", cause: error)
        }
    }

    private func stat(_ key: StorageKey, deadline: Deadline) async throws(ServiceError) -> ObjectFacts {
        let facts: ObjectFacts
        do throws(ServiceError) {
            facts = try await storage.stat(key, deadline: deadline)
        } catch {
            throw Self.explained(error, key: key)
        }
        guard facts.size >= 0, facts.size < Int64.max, StorageLimits.chunkBytesRange.contains(facts.chunkBytes) else {
            throw ServiceError(
                .internal, "Storage says \"\(key)\" has \(facts.size) bytes in chunks of \(facts.chunkBytes).")
        }
        return facts
    }

    private func firstChunk(
        of range: ByteRange, reader: ChunkReader, deadline: Deadline
    ) async throws(ServiceError) -> Chunk {
        do throws(ServiceError) {
            return try await reader.read(
                range.chunkIndexes(chunkBytes: reader.facts.chunkBytes).lowerBound, deadline: deadline)
        } catch {
            throw Self.explained(error, key: reader.facts.key)
        }
    }

    /// Puts a storage error in the terms of the viewer, who asked for a video and knows nothing of keys and chunks.
    private static func explained(_ error: ServiceError, key: StorageKey) -> ServiceError {
        switch error.code {
        case .notFound:
            ServiceError(
                .notFound,
                "The video's record names the storage key \"\(key)\", and storage has no such object. Put the file there.",
                cause: error)
        case .invalidArgument:
            // The record or the gateway is at fault here, never the client.
            ServiceError(.internal, "Storage refuses the key \"\(key)\".", cause: error)
        default:
            error
        }
    }

    private static func checkPlayable(_ video: Video) throws(ServiceError) {
        switch video.state {
        case .ready:
            return
        case .awaitingUpload:
            throw ServiceError(.notFound, "The video \(video.id) has no bytes yet: its upload is not finished.")
        case .deleted:
            throw ServiceError(.notFound, "There is no video \(video.id): it was deleted.")
        }
    }

    /// The key of the record. One that is refused is the fault of whoever wrote the record: the viewer is told that
    /// something is wrong here, the log what it is, and storage is not asked at all.
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

    private static func now() throws(ServiceError) -> HTTPDate {
        guard let now = HTTPDate(Date()) else {
            throw ServiceError(.internal, "The clock of this machine is outside the years 1 to 9999.")
        }
        return now
    }
}
