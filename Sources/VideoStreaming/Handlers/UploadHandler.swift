import Domain
import HTTPTypes
import Hummingbird
import Logging

/// `PUT /videos/{id}/content`: takes the bytes of a video in.
///
/// Guaranteed: a 2xx means that storage has the whole body as it was sent, and that the record is ready. Without it nothing
/// can be seen of the upload; except that when the answer to the very last step is lost (503, 504, or a connection that
/// breaks then) the upload may be there, whole. Of two uploads to one video, the first to be finished wins and the other is
/// a conflict.
struct UploadHandler: Sendable {
    /// Knows the records.
    let metadata: any MetadataService
    /// Has the current bytes, for conditions.
    let storage: any StorageService
    /// Remembers what is delivered, and forgets here what has changed.
    let source: ContentSource
    /// Keeps the new ones.
    let uploads: any UploadService
    /// Who may write.
    let access: WriteAccess
    /// Bounds the bytes of all uploads together.
    let budget: ByteBudget
    /// Gives up what failed.
    let cleanup: UploadCleanup
    /// Limits and deadlines.
    let configuration: GatewayConfiguration

    /// Answers a PUT.
    func reply(to request: Request, id: VideoID, _ context: GatewayContext) async -> Reply {
        do {
            try checkHead(of: request)
            let digest = try digest(of: request)
            let video = try await found(id)
            return try await store(request, of: video, digest, context)
        } catch let refusal as Refusal {
            return Reply(refusal, to: request, context)
        } catch {
            // The client has gone; nobody reads this.
            return Reply(.truncated, to: request, context)
        }
    }

    private func store(
        _ request: Request, of video: Video, _ digest: ContentDigest?, _ context: GatewayContext
    ) async throws -> Reply {
        let upload = NewUpload(
            id: .random(), key: try key(of: video, context.logger),
            contentType: MediaType.given(request.headers[.contentType]) ?? video.contentType,
            size: UploadBody(request, channel: context.channel).length)
        do {
            let plan = try await begin(upload)
            try await checkConditions(request.headers, on: upload.key)
            let transfer = UploadTransfer(uploads: uploads, budget: budget, policy: configuration.uploads)
            let body = UploadBody(request, channel: context.channel)
            let received = try await transfer.receive(body, upload.id, plan)
            if let digest, digest != received.digest { throw Refusal.wrongDigest }
            let facts = try await commit(upload.id, received)
            source.objectChanged(upload.key)
            let ready = try await tell(facts, id: video.id)
            source.recordChanged(video.id)
            context.logger.info(
                "an upload was taken in",
                metadata: ["video": "\(video.id)", "version": "\(facts.version)", "bytes": "\(received.bytes)"])
            return Self.reply(video: ready, facts, isNew: video.state == .awaitingUpload)
        } catch {
            // After a commit whose answer was lost, this does nothing.
            cleanup.abort(upload.id)
            throw error
        }
    }

    private static func reply(video: Video, _ facts: ObjectFacts, isNew: Bool) -> Reply {
        var reply =
            isNew
            ? Reply(status: .created, json: VideoDocument(video))
            : Reply(status: .noContent, fields: HTTPFields(), body: .none)
        reply.fields[.eTag] = EntityTag(strong: facts.version.description).description
        if isNew { reply.fields[.location] = "/videos/\(video.id)/content" }
        return reply
    }

    // MARK: - Before the first byte

    private func checkHead(of request: Request) throws(Refusal) {
        try refused { () throws(ServiceError) in try access.check(request.headers) }
        if let length = request.headers[.contentLength].flatMap({ Int64($0) }),
            length > configuration.uploads.maxBytes
        {
            throw .tooLong(configuration.uploads.maxBytes)
        }
        guard request.headers[.contentRange] == nil else {
            // RFC 9110 section 14.5.
            throw Refusal(
                Problem(status: .badRequest, detail: "A part of a video cannot be replaced: send all of it."))
        }
        guard (request.headers[.contentEncoding] ?? "identity").lowercased() == "identity" else {
            throw Refusal(
                Problem(
                    status: .unsupportedMediaType, detail: "Send the video as it is, without Content-Encoding."))
        }
    }

    private func digest(of request: Request) throws(Refusal) -> ContentDigest? {
        try refused { () throws(ServiceError) in try ContentDigest.of(request.headers) }
    }

    private func found(_ id: VideoID) async throws(Refusal) -> Video {
        do throws(ServiceError) {
            let video = try await metadata.find(id, deadline: configuration.requestDeadline)
            guard video.state != .deleted else {
                throw ServiceError(.notFound, "There is no video \(id): it was deleted.")
            }
            return video
        } catch {
            throw Refusal(error)
        }
    }

    private func key(of video: Video, _ logger: Logger) throws(Refusal) -> StorageKey {
        try refused { () throws(ServiceError) in try PlayableVideo.key(of: video, logger: logger) }
    }

    private func begin(_ upload: NewUpload) async throws(Refusal) -> UploadPlan {
        let deadline = configuration.requestDeadline
        let plan = try await refusedLater { [uploads] () throws(ServiceError) in
            try await PersistentCall(attemptDeadline: deadline.remaining(), giveUp: deadline)
                .perform { (deadline) throws(ServiceError) in try await uploads.begin(upload, deadline: deadline) }
        }
        guard UploadLimits.blockBytesRange.contains(plan.blockBytes), plan.maxBlocks > 0 else {
            throw Refusal(ServiceError(.internal, "Storage wants blocks of \(plan.blockBytes) bytes."))
        }
        if let size = upload.size, size > Int64(plan.blockBytes).multipliedOrMax(by: Int64(plan.maxBlocks)) {
            throw .tooLong(Int64(plan.blockBytes) * Int64(plan.maxBlocks))
        }
        return plan
    }

    /// `If-Match` and `If-None-Match` about the current bytes. The upload has begun, so that bytes which are replaced after
    /// this look make its commit a conflict.
    private func checkConditions(_ fields: HTTPFields, on key: StorageKey) async throws(Refusal) {
        guard fields[.ifMatch] != nil || fields[.ifNoneMatch] != nil else { return }
        let deadline = configuration.requestDeadline
        let current: EntityTag? = try await refusedLater { [storage] () throws(ServiceError) in
            do throws(ServiceError) {
                return EntityTag(strong: try await storage.stat(key, deadline: deadline).version.description)
            } catch  where error.code == .notFound {
                return nil
            }
        }
        let matches = fields[.ifMatch].map(EntityTagCondition.init)
            .map { condition in current.map { condition.holdsStrongly(for: $0) } ?? false }
        let differs = fields[.ifNoneMatch].map(EntityTagCondition.init)
            .map { condition in current.map { !condition.holdsWeakly(for: $0) } ?? true }
        guard matches ?? true, differs ?? true else {
            throw Refusal(
                Problem(
                    status: .preconditionFailed,
                    detail: "The video's bytes are not those that If-Match or If-None-Match asks for.", code: .conflict)
            )
        }
    }

    // MARK: - After the last byte

    private func commit(_ id: UploadID, _ received: UploadTransfer.Received) async throws(Refusal) -> ObjectFacts {
        let finished = FinishedUpload(id: id, blocks: received.blocks, checksum: received.digest.checksum)
        let giveUp = Deadline.after(configuration.uploads.commitDeadline)
        return try await refusedLater { [uploads] () throws(ServiceError) in
            do throws(ServiceError) {
                return try await PersistentCall(attemptDeadline: giveUp.remaining(), giveUp: giveUp)
                    .perform { (deadline) throws(ServiceError) in
                        try await uploads.commit(finished, deadline: deadline)
                    }
            } catch  where error.code == .invalidArgument {
                // Each of the blocks was taken under the name that is given here: what is known of one has changed on its way.
                throw ServiceError(
                    .corrupt, "Storage has other parts of the upload than were sent; send it again.", cause: error)
            } catch {
                throw ServiceError.explained(error)
            }
        }
    }

    /// Has the record made ready, so that a 2xx means that everybody sees the video. When that fails, the event that storage
    /// tells does it a little later.
    private func tell(_ facts: ObjectFacts, id: VideoID) async throws(Refusal) -> Video {
        let giveUp = Deadline.after(configuration.uploads.stallBudget)
        let videos = try await refusedLater { [metadata] () throws(ServiceError) in
            try await PersistentCall(attemptDeadline: .seconds(5), giveUp: giveUp)
                .perform { (deadline) throws(ServiceError) in
                    try await metadata.contentCommitted(CommittedContent(facts), deadline: deadline)
                }
        }
        guard let video = videos.first(where: { $0.id == id }) else {
            throw Refusal(ServiceError(.notFound, "There is no video \(id) any more: it was deleted meanwhile."))
        }
        return video
    }

    private func refused<Value>(_ call: () throws(ServiceError) -> Value) throws(Refusal) -> Value {
        do throws(ServiceError) {
            return try call()
        } catch {
            throw Refusal(error)
        }
    }

    private func refusedLater<Value>(
        _ call: () async throws(ServiceError) -> Value
    ) async throws(Refusal) -> Value {
        do throws(ServiceError) {
            return try await call()
        } catch {
            throw Refusal(error)
        }
    }
}

extension Int64 {
    fileprivate func multipliedOrMax(by other: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}
