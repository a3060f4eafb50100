import NIOCore

@testable import VideoStreaming

/// Gives each piece of a body to a closure.
struct TakingSink: BodySink {
    let take: @Sendable (ByteBuffer) async throws -> Void

    func send(_ pieces: ReadyPieces) async throws {
        while let piece = pieces.next() { try await take(piece) }
    }
}

extension ChunkStream {
    /// Delivers the bytes to a closure.
    func deliver(_ take: @escaping @Sendable (ByteBuffer) async throws -> Void) async throws {
        try await deliver(to: TakingSink(take: take))
    }
}
