import Domain
import NIOCore

/// The body of a response: ranges of an object, and what stands between them when there are several.
struct ContentStream: Sendable {
    /// One piece of the body.
    enum Segment: Sendable, Equatable {
        /// These bytes of the object.
        case range(ByteRange)
        /// This text, as between the parts of a multipart body.
        case text(String)
    }

    /// Reads and checks the chunks.
    let reader: ChunkReader
    /// The pieces, in their order.
    let segments: [Segment]
    /// The first chunk of the first range, which was read before the response was begun.
    let first: Chunk
    /// What may be held ahead of the viewer.
    let budget: ReadAheadBudget

    /// Delivers the pieces. See ``ChunkStream/deliver(to:)``.
    ///
    /// - Parameter sink: Takes the bytes.
    /// - Throws: ``StreamFailure``, or `CancellationError` when the task was cancelled.
    @concurrent func deliver(to sink: some BodySink) async throws {
        reader.source.metrics.streams(1)
        defer { reader.source.metrics.streams(-1) }
        var first: Chunk? = first
        for segment in segments {
            switch segment {
            case .range(let range):
                try await ChunkStream(reader: reader, range: range, first: first, budget: budget).deliver(to: sink)
                first = nil
            case .text(let text):
                do {
                    try await sink.send(ReadyPieces(ByteBuffer(string: text)))
                } catch {
                    throw StreamFailure.viewer(error)
                }
            }
        }
    }
}
