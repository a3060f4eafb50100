public import NIOCore
internal import NIOPosix

extension MetricsRegistry {
    /// The `Content-Type` of ``exposition()``.
    public static let contentType = MetricText.contentType

    /// ``text()``, put together on a thread that may wait.
    ///
    /// - Throws: `CancellationError` when the task is cancelled before it begins.
    public func exposition() async throws -> ByteBuffer {
        let text = try await NIOThreadPool.singleton.runIfActive { self.text() }
        return ByteBuffer(string: text)
    }
}
