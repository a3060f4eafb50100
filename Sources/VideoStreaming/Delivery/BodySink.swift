import NIOCore
import Synchronization

/// Where the bytes of a response's body go.
protocol BodySink: Sendable {
    /// Takes pieces in their order, as long as there is one that can be had without waiting.
    ///
    /// - Returns: When the last of them has been taken: the viewer has room for more.
    /// - Throws: When the viewer does not take them any more, or the task is cancelled.
    @concurrent func send(_ pieces: ReadyPieces) async throws
}

/// Pieces of a body that can be had without waiting. They are asked for one by one, each when the one before it has been taken, so
/// no more of them are held than that.
final class ReadyPieces: Sendable {
    private struct State {
        var first: ByteBuffer?
        var isAtEnd = false
    }

    private let state: Mutex<State>
    private let following: @Sendable () -> ByteBuffer?

    /// Pieces of which the first is there already.
    ///
    /// - Parameters:
    ///   - first: The first.
    ///   - following: Gives the next one, and `nil` when there is none that can be had without waiting; must not block. It is not
    ///     asked again after that.
    init(_ first: ByteBuffer, following: @escaping @Sendable () -> ByteBuffer? = { nil }) {
        self.following = following
        state = Mutex(State(first: first))
    }

    /// Whether all have been taken out.
    var isAtEnd: Bool { state.withLock(\.isAtEnd) }

    /// Takes the next one out.
    func next() -> ByteBuffer? {
        let (first, isAtEnd) = state.withLock { state in (state.first.take(), state.isAtEnd) }
        if let first { return first }
        guard !isAtEnd else { return nil }
        if let piece = following() { return piece }
        state.withLock { $0.isAtEnd = true }
        return nil
    }
}
