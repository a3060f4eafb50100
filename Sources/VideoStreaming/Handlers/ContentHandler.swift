import Domain
import HTTPTypes
import NIOCore

/// Answers for a video's bytes: finds the record, learns the object's facts, plans the answer, and has the first chunk before
/// the head is sent, so that an early failure is a problem document and not a response that is cut.
struct ContentHandler: Sendable {
    /// Where records, facts and chunks come from.
    let source: ContentSource
    /// What streams may hold ahead of their viewers.
    let budget: ReadAheadBudget
    /// Limits and deadlines.
    let configuration: GatewayConfiguration

    /// A request, as far as it matters here.
    private struct Asked {
        var method: HTTPRequest.Method
        var fields: HTTPFields
        var video: PlayableVideo
        var deadline: Deadline
    }

    /// What the answer is planned with.
    private struct Known {
        var facts: ObjectFacts
        /// The chunk that came with the facts.
        var chunk: Chunk?
    }

    /// Answers GET or HEAD.
    func reply(to method: HTTPRequest.Method, fields: HTTPFields, id: VideoID) async -> Reply {
        let deadline = configuration.requestDeadline
        var timing = ServerTiming()
        do throws(ServiceError) {
            let video = try await source.video(id, deadline: deadline)
            timing.found()
            let asked = Asked(method: method, fields: fields, video: video, deadline: deadline)
            do throws(ServiceError) {
                return try await reply(to: asked, &timing)
            } catch  where error.code == .conflict {
                // Replaced between facts and read: once more with the new version, before anything is sent.
                source.objectChanged(video.key)
                return try await replyAfterReplacement(to: asked, &timing)
            }
        } catch {
            return Reply(error)
        }
    }

    private func reply(to asked: Asked, _ timing: inout ServerTiming) async throws(ServiceError) -> Reply {
        let known = try await known(asked)
        let now = try Self.now()
        let representation = Representation(of: asked.video, facts: known.facts, now: now)
        var plan = ResponsePlanner(representation: representation, now: now)
            .plan(method: asked.method, fields: asked.fields)
        switch plan.body {
        case .none:
            return Reply(status: plan.status, fields: plan.fields, body: .none)
        case .problem(let problem):
            return Reply(problem, fields: plan.fields)
        case .bytes(let range):
            if let bytes = try await part(range, asked, known) {
                timing.hasFirst(from: .storage)
                plan.fields[.serverTiming] = timing.description
                return Reply(status: plan.status, fields: plan.fields, body: .bytes(bytes))
            }
            let stream = try await stream([.range(range)], from: range, asked, known, &timing)
            plan.fields[.serverTiming] = timing.description
            return Reply(status: plan.status, fields: plan.fields, body: .stream(stream))
        case .parts(let parts):
            var segments: [ContentStream.Segment] = []
            for (number, range) in parts.ranges.enumerated() {
                segments += [.text(parts.heading(number)), .range(range)]
            }
            segments.append(.text(parts.closing))
            let stream = try await stream(segments, from: parts.ranges[0], asked, known, &timing)
            plan.fields[.serverTiming] = timing.description
            return Reply(status: plan.status, fields: plan.fields, body: .stream(stream))
        }
    }

    private func replyAfterReplacement(
        to asked: Asked, _ timing: inout ServerTiming
    ) async throws(ServiceError) -> Reply {
        do throws(ServiceError) {
            return try await reply(to: asked, &timing)
        } catch  where error.code == .conflict {
            throw ServiceError(.unavailable, "The video is being replaced just now; try again.", cause: error)
        }
    }

    /// The facts, with the first chunk where its bytes will be sent for all that is known.
    private func known(_ asked: Asked) async throws(ServiceError) -> Known {
        let key = asked.video.key
        if let facts = source.rememberedFacts(key) { return Known(facts: facts) }
        do throws(ServiceError) {
            let start = Self.start(asked.fields)
            guard asked.method == .get, !asked.fields.areConditional, !source.likelyHolds(key, at: start) else {
                return Known(facts: try await source.facts(key, deadline: asked.deadline))
            }
            let opened = try await source.open(key, at: start, deadline: asked.deadline)
            return Known(facts: opened.facts, chunk: opened.first)
        } catch {
            throw Self.explained(error, key: key)
        }
    }

    /// The bytes of a small range, where they are read without the chunks around them.
    private func part(_ range: ByteRange, _ asked: Asked, _ known: Known) async throws(ServiceError) -> ByteBuffer? {
        guard known.chunk == nil, let address = source.addressOfPart(with: range, known.facts) else { return nil }
        do throws(ServiceError) {
            let chunk = try await source.part(address, deadline: asked.deadline)
            try known.facts.check(chunk)
            return chunk.piece(of: range)
        } catch {
            throw Self.explained(error, key: asked.video.key)
        }
    }

    private func stream(
        _ segments: [ContentStream.Segment], from range: ByteRange, _ asked: Asked, _ known: Known,
        _ timing: inout ServerTiming
    ) async throws(ServiceError) -> ContentStream {
        let reader = ChunkReader(source: source, facts: known.facts, limits: configuration.delivery)
        let index = range.chunkIndexes(chunkBytes: known.facts.chunkBytes).lowerBound
        let first: Chunk
        do throws(ServiceError) {
            if let chunk = known.chunk, chunk.offset == index * Int64(known.facts.chunkBytes) {
                first = chunk
                timing.hasFirst(from: .storage)
            } else if let chunk = try reader.remembered(index) {
                first = chunk
                timing.hasFirst(from: .cache)
            } else {
                first = try await reader.read(index, deadline: asked.deadline)
                timing.hasFirst(from: .storage)
            }
        } catch {
            throw Self.explained(error, key: asked.video.key)
        }
        return ContentStream(reader: reader, segments: segments, first: first, budget: budget)
    }

    /// Where the first byte lies that is likely to be sent.
    private static func start(_ fields: HTTPFields) -> ReadStart {
        guard let text = fields[.range], let specifiers = RangeSpecifier.list(text), let first = specifiers.first
        else { return .offset(0) }
        switch first {
        case .bounded(let start, _), .from(let start): return .offset(start)
        case .suffix(let count): return .suffix(count)
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

    private static func now() throws(ServiceError) -> HTTPDate {
        guard let now = HTTPDate.now else {
            throw ServiceError(.internal, "The clock of this machine is outside the years 1 to 9999.")
        }
        return now
    }
}

extension HTTPFields {
    /// Whether the answer may be one without the object's bytes. `If-Range` is no such condition.
    fileprivate var areConditional: Bool {
        contains(.ifMatch) || contains(.ifNoneMatch) || contains(.ifModifiedSince) || contains(.ifUnmodifiedSince)
    }
}
