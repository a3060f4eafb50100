public import Domain
import Synchronization

/// A metadata service that holds its records in memory and fails as it is told.
public final class InMemoryMetadata: MetadataService {
    private struct State {
        var videos: [VideoID: Video] = [:]
        var failure: ServiceError?
        var created = 0
        var answers: [CommandID: Video?] = [:]
        var committed: [CommittedContent] = []
    }

    private let state = Mutex(State())

    /// A service with these records.
    public init(_ videos: [Video] = []) {
        for video in videos { put(video) }
    }

    /// Puts a record, in place of the one that has the id.
    public func put(_ video: Video) {
        state.withLock { $0.videos[video.id] = video }
    }

    /// What was told of uploads, in that order.
    public var committed: [CommittedContent] { state.withLock { $0.committed } }

    /// Every record, the deleted ones too.
    public var videos: [Video] { state.withLock { $0.videos.values.sorted { $0.id < $1.id } } }

    /// Lets every call fail from now on, or none.
    public func fail(with failure: ServiceError?) {
        state.withLock { $0.failure = failure }
    }

    /// As the protocol says.
    public func find(_ id: VideoID, deadline: Deadline) async throws(ServiceError) -> Video {
        try check()
        guard let video = state.withLock({ $0.videos[id] }) else {
            throw ServiceError(.notFound, "There is no video \(id).")
        }
        return video
    }

    /// As the protocol says.
    public func list(
        after cursor: VideoID?, limit: Int, deadline: Deadline
    ) async throws(ServiceError) -> VideoPage {
        try check()
        guard (1...MetadataLimits.maxPageSize).contains(limit) else {
            throw ServiceError(.invalidArgument, "limit must be from 1 to \(MetadataLimits.maxPageSize).")
        }
        let all = state.withLock { $0.videos.values.sorted { $0.id < $1.id } }
        let rest = all.filter { video in cursor.map { video.id > $0 } ?? true }
        let page = Array(rest.prefix(limit))
        return VideoPage(videos: page, next: rest.count > limit ? page.last?.id : nil)
    }

    /// As the protocol says; ids that it chooses count up from 1.
    public func create(_ video: NewVideo, deadline: Deadline) async throws(ServiceError) -> Video {
        try check()
        let result: Result<Video, ServiceError> = state.withLock { state in
            state.created += 1
            let digits = String(state.created, radix: 16)
            let text = String(repeating: "0", count: max(0, 24 - digits.count)) + digits
            guard let id = video.id ?? VideoID(text) else {
                return .failure(ServiceError(.internal, "No id could be made."))
            }
            let record = Video(
                id: id, videoPath: video.videoPath, title: video.title, description: video.description,
                contentType: video.contentType, state: video.awaitsUpload ? .awaitingUpload : .ready)
            if let present = state.videos[id] {
                guard present == record else {
                    return .failure(ServiceError(.conflict, "The id \(id) is taken by a record with other facts."))
                }
                return .success(present)
            }
            state.videos[id] = record
            return .success(record)
        }
        return try result.get()
    }

    /// As the protocol says.
    public func update(
        _ id: VideoID, _ change: VideoChange, revision: Int64?, command: CommandID, deadline: Deadline
    ) async throws(ServiceError) -> Video {
        let done = try carryOut(command, id, revision) { change.applied(to: $0) }
        guard let video = done else { throw ServiceError(.conflict, "The command was another one.") }
        return video
    }

    /// As the protocol says.
    public func delete(
        _ id: VideoID, revision: Int64?, command: CommandID, deadline: Deadline
    ) async throws(ServiceError) {
        _ = try carryOut(command, id, revision) { video in
            var deleted = video
            deleted.state = .deleted
            return deleted
        }
    }

    /// As the protocol says.
    public func contentCommitted(
        _ content: CommittedContent, deadline: Deadline
    ) async throws(ServiceError) -> [Video] {
        try check()
        return state.withLock { state in
            state.committed.append(content)
            let ids = state.videos.values.filter { $0.videoPath == content.key.description }.map(\.id).sorted()
            for id in ids {
                guard var video = state.videos[id]?.taking(content.content) else { continue }
                video.revision += 1
                state.videos[id] = video
            }
            return ids.compactMap { state.videos[$0] }.filter { $0.state != .deleted }
        }
    }

    private func carryOut(
        _ command: CommandID, _ id: VideoID, _ revision: Int64?, _ change: @Sendable (Video) -> Video
    ) throws(ServiceError) -> Video? {
        try check()
        let result: Result<Video?, ServiceError> = state.withLock { state in
            if let answer = state.answers[command] { return .success(answer) }
            guard let video = state.videos[id], video.state != .deleted else {
                return .failure(ServiceError(.notFound, "There is no video \(id)."))
            }
            guard revision == nil || revision == video.revision else {
                return .failure(ServiceError(.conflict, "The record \(id) has the revision \(video.revision)."))
            }
            var changed = change(video)
            changed.revision += 1
            state.videos[id] = changed
            let answer = changed.state == .deleted ? nil : changed
            state.answers[command] = .some(answer)
            return .success(answer)
        }
        return try result.get()
    }

    private func check() throws(ServiceError) {
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }
}
