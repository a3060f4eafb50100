import Domain
import HTTPTypes
import NIOCore

/// An answer to a request for a video's bytes that is made of what is in memory.
struct MemoryAnswer: Sendable {
    /// The status.
    var status: HTTPResponse.Status
    /// The header fields.
    var fields: HTTPFields
    /// The bytes, as pieces of the chunks that have them.
    var pieces: [ByteBuffer]
    /// What the pieces are of the object; `nil` where there are none.
    var range: ByteRange?
}

/// The representation that a connection was told of last.
struct DescribedVideo: Sendable {
    /// What plays it.
    var video: PlayableVideo
    /// What was said of it.
    var representation: Representation

    /// Whether the same would be said of a video with these facts.
    func holds(for video: PlayableVideo, _ facts: ObjectFacts) -> Bool {
        representation.isLasting && representation.facts == facts && self.video == video
    }
}

extension ContentHandler {
    /// The most bytes that are sent at once: what a connection holds before it is full, and what a player asks for when it seeks.
    /// More is streamed, chunk by chunk.
    static let maxBytesAtOnce: Int64 = 256 * 1_024
    /// How many chunks these may be in. An object has chunks of 64 KiB at least, so it takes more only in tests.
    private static let maxPieces = 8

    /// Answers GET or HEAD without waiting for anything; `nil` where something is not in memory, where there is much to send,
    /// and where the request fails. Then ``reply(to:fields:id:)`` has to.
    ///
    /// - Parameters:
    ///   - method: GET or HEAD.
    ///   - fields: The request's header fields.
    ///   - id: The video.
    ///   - described: What was said last on this connection; it is said again if it still holds.
    /// - Returns: The answer, but for what all answers have: the date, and who else may read.
    func answerFromMemory(
        to method: HTTPRequest.Method, fields: HTTPFields, id: VideoID, described: inout DescribedVideo?
    ) -> MemoryAnswer? {
        guard let video = source.rememberedVideo(id), let facts = source.rememberedFacts(video.key),
            let now = HTTPDate.now
        else { return nil }
        let representation: Representation
        if let described, described.holds(for: video, facts) {
            representation = described.representation
        } else {
            representation = Representation(of: video, facts: facts, now: now)
            described = DescribedVideo(video: video, representation: representation)
        }
        var plan = ResponsePlanner(representation: representation, now: now).plan(method: method, fields: fields)
        switch plan.body {
        case .none:
            return MemoryAnswer(status: plan.status, fields: plan.fields, pieces: [])
        case .bytes(let range):
            guard let pieces = pieces(of: range, facts) else { return nil }
            plan.fields.append(HTTPField(name: .serverTiming, value: ServerTiming.fromMemory))
            return MemoryAnswer(status: plan.status, fields: plan.fields, pieces: pieces, range: range)
        case .parts, .problem:
            return nil
        }
    }

    /// A range of the object that was described, in pieces; `nil` where that is no longer what would be said of the video, where
    /// something is not in memory, and where there is much to send.
    func piecesFromMemory(of range: ByteRange, id: VideoID, described: DescribedVideo) -> [ByteBuffer]? {
        guard let video = source.rememberedVideo(id), let facts = source.rememberedFacts(video.key),
            described.holds(for: video, facts)
        else { return nil }
        return pieces(of: range, facts)
    }

    private func pieces(of range: ByteRange, _ facts: ObjectFacts) -> [ByteBuffer]? {
        guard range.count <= Self.maxBytesAtOnce else { return nil }
        let indexes = range.chunkIndexes(chunkBytes: facts.chunkBytes)
        let reader = ChunkReader(source: source, facts: facts, limits: configuration.delivery)
        // A look first, since a chunk that is taken counts as delivered.
        guard indexes.count <= Self.maxPieces, indexes.count == 1 || indexes.allSatisfy(reader.holds) else {
            return nil
        }
        var pieces: [ByteBuffer] = []
        for index in indexes {
            guard let chunk = try? reader.remembered(index), let piece = chunk.piece(of: range) else { return nil }
            pieces.append(piece)
        }
        return pieces
    }
}
