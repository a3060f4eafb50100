import NIOCore

@testable import VideoStreaming

/// Gives each piece of a body to a closure.
struct TakingSink: BodySink {
    /// Called before the pieces that are handed over in one go.
    var began: @Sendable () -> Void = {}
    let take: @Sendable (ByteBuffer) async throws -> Void

    func send(_ pieces: ReadyPieces) async throws {
        began()
        while let piece = pieces.next() { try await take(piece) }
    }
}

extension ChunkStream {
    /// Delivers the bytes to a closure.
    func deliver(_ take: @escaping @Sendable (ByteBuffer) async throws -> Void) async throws {
        try await deliver(to: TakingSink(take: take))
    }
}
