/// How many chunks a stream may hold or wait for: one at first, so that the first byte comes quickly and a viewer who only
/// looks at the start costs little, then twice as many after each chunk, up to the limit.
struct ReadAheadWindow: Sendable {
    /// The window now.
    private(set) var chunks = 1
    private let limit: Int

    /// A window that grows up to this many chunks.
    init(limit: Int) {
        self.limit = max(1, limit)
    }

    /// Takes note that the viewer took a chunk.
    mutating func advance() {
        chunks = min(limit, chunks * 2)
    }
}
