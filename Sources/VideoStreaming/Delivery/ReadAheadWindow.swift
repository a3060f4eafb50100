/// How many chunks a stream may hold or wait for: one at first, so that the first byte comes quickly and a viewer who only
/// looks at the start costs little, then twice as many after each chunk, up to the limit.
struct ReadAheadWindow: Sendable {
    /// The window now.
    private(set) var chunks = 1
    /// How large it becomes.
    let limit: Int

    /// A window that grows up to this many chunks.
    init(limit: Int) {
        self.limit = max(1, limit)
    }

    /// Takes note that the viewer took a chunk.
    mutating func advance() {
        chunks = min(limit, chunks * 2)
    }
}

/// Where a stream is in its range, and how far ahead of that it has looked.
struct ReadAheadPosition: Sendable {
    /// The chunk that the viewer is given.
    private(set) var index: Int64
    /// The last chunk of the range.
    let last: Int64
    /// The first chunk that was not looked at yet.
    private var next: Int64
    private var window: ReadAheadWindow

    /// The begin of a range of chunks.
    init(_ indexes: ClosedRange<Int64>, window: ReadAheadWindow) {
        index = indexes.lowerBound
        last = indexes.upperBound
        next = indexes.lowerBound + 1
        self.window = window
    }

    /// Whether the viewer has been given all.
    var isAtEnd: Bool { index > last }

    /// The next chunk to look at, while the window has room.
    var toLookAt: Int64? {
        next <= last && next - index < Int64(window.chunks) ? next : nil
    }

    /// What to do with chunks that are best read as one.
    enum Fit {
        case now
        /// As soon as the viewer has taken some more.
        case later
        /// The window is too small for them, now or altogether.
        case never
    }

    /// Whether the window has room for all chunks from ``toLookAt`` to one. They may take half of it, so that there is something to
    /// send until they come.
    func fit(upTo chunk: Int64) -> Fit {
        guard chunk <= last, 2 * (chunk - next + 1) <= Int64(window.limit) else { return .never }
        if chunk - index < Int64(window.chunks) { return .now }
        return window.chunks < window.limit ? .never : .later
    }

    /// Takes note that the chunks from ``toLookAt`` on are there or asked for.
    mutating func looked(at count: Int = 1) {
        next += Int64(count)
    }

    /// Takes note that the viewer took a chunk.
    mutating func advance() {
        index += 1
        next = max(next, index + 1)
        window.advance()
    }
}
