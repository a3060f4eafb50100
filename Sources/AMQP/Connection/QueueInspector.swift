internal import DequeModule

/// Looks at queues, one after the other, on a channel of its own: a queue that is not there closes it.
struct QueueInspector {
    typealias Answer = @Sendable (Result<QueueStatus?, AMQPError>) -> Void

    static let channel: UInt16 = 1

    private var isChannelOpen = false
    /// The first one has been asked for. Bounded by the callers that wait.
    private var looks: Deque<(queue: String, answer: Answer)> = []

    /// Looks at a queue.
    mutating func inspect(
        _ queue: String, on connection: RawConnection, _ answer: @escaping Answer
    ) throws(AMQPError) {
        looks.append((queue, answer))
        if looks.count == 1 { try askForFirst(on: connection) }
    }

    /// The broker has told of the queue.
    mutating func answered(_ status: QueueStatus, on connection: RawConnection) throws(AMQPError) {
        looks.popFirst()?.answer(.success(status))
        try askForFirst(on: connection)
    }

    /// The broker has refused to, since there is no such queue (404) or it may not be looked at.
    mutating func channelClosed(_ error: AMQPError, on connection: RawConnection) throws(AMQPError) {
        isChannelOpen = false
        looks.popFirst()?.answer(error.kind == .channelClosed(code: 404) ? .success(nil) : .failure(error))
        try askForFirst(on: connection)
    }

    /// The connection is gone.
    mutating func disconnected(_ error: AMQPError) {
        isChannelOpen = false
        for look in looks { look.answer(.failure(error)) }
        looks.removeAll()
    }

    private mutating func askForFirst(on connection: RawConnection) throws(AMQPError) {
        while let look = looks.first {
            if !isChannelOpen { try connection.ask(.openChannel, on: Self.channel) }
            isChannelOpen = true
            do {
                return try connection.ask(.inspectQueue(look.queue), on: Self.channel)
            } catch {
                // Its name is too long. That harms no other.
                guard error.kind == .invalidConfiguration else { throw error }
                looks.removeFirst()
                look.answer(.failure(error))
            }
        }
    }
}
