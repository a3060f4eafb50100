import Domain

/// Reads the chunks of one version of an object for one stream.
struct ChunkReader: Sendable {
    /// Where the chunks come from.
    let source: ContentSource
    /// The object, as it was when the response was planned.
    let facts: ObjectFacts
    /// How long to wait, and how often to try.
    let limits: DeliveryLimits

    /// The chunk, if the cache has it.
    ///
    /// - Throws: `corrupt` when it is of an object of another size.
    func remembered(_ index: Int64) throws(ServiceError) -> Chunk? {
        guard let chunk = source.rememberedChunk(facts.address(ofChunk: index)) else { return nil }
        try facts.check(chunk)
        return chunk
    }

    /// Whether the cache has it.
    func holds(_ index: Int64) -> Bool {
        source.holds(facts.address(ofChunk: index))
    }

    /// One attempt to read a chunk.
    ///
    /// - Throws: what ``ContentSource/chunk(_:deadline:)`` does.
    func read(_ index: Int64, deadline: Deadline) async throws(ServiceError) -> Chunk {
        let chunk = try await source.chunk(facts.address(ofChunk: index), deadline: deadline)
        try facts.check(chunk)
        return chunk
    }

    /// One attempt to read chunks ahead of time, limited by the deadline of a chunk; one read where they are a ``ChunkRun``.
    ///
    /// - Returns: What came of each, in their order.
    func readAhead(_ indexes: [Int64]) async -> [Result<Chunk, ServiceError>] {
        let deadline = Deadline.after(limits.chunkDeadline)
        if let index = indexes.first, indexes.count == 1 {
            do throws(ServiceError) {
                return [.success(try await read(index, deadline: deadline))]
            } catch {
                return [.failure(error)]
            }
        }
        return await source.chunks(indexes.map(facts.address(ofChunk:)), deadline: deadline).map { result in
            result.flatMap { chunk in
                Result { () throws(ServiceError) in
                    try facts.check(chunk)
                    return chunk
                }
            }
        }
    }

    /// Reads the chunk that the viewer waits for, again and again while the failure is one that passes (no worker, a
    /// full queue, an answer that did not come), until `giveUp`.
    ///
    /// - Parameters:
    ///   - index: Which chunk.
    ///   - giveUp: When the stall budget is spent. The last attempt may not outlast it either.
    /// - Returns: The chunk, checked.
    /// - Throws: The last failure, or `CancellationError`.
    func readPersistently(_ index: Int64, giveUp: Deadline) async throws -> Chunk {
        var pause = RetryPause(first: limits.firstRetryPause, limit: limits.maxRetryPause)
        while true {
            do {
                return try await read(index, deadline: min(.after(limits.chunkDeadline), giveUp))
            } catch {
                try Task.checkCancellation()
                let wait = pause.next()
                guard Self.mayPass(error), giveUp.remaining() > wait else { throw error }
                try await Task.sleep(for: wait)
            }
        }
    }

    /// Whether the same read may succeed a little later.
    static func mayPass(_ error: ServiceError) -> Bool {
        error.isTransient || error.code == .deadlineExceeded
    }
}
