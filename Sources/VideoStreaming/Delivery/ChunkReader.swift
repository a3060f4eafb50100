import Domain
import NIOCore

/// Reads the chunks of one version of an object, and believes nothing: each answer is checked against what was asked.
struct ChunkReader: Sendable {
    /// Where the bytes come from.
    let storage: any StorageService
    /// The object, as it was when the response was planned.
    let facts: ObjectFacts
    /// How long to wait, and how often to try.
    let limits: DeliveryLimits

    /// One attempt to read a chunk.
    ///
    /// - Throws: what the storage service throws; `conflict` when the bytes belong to another version than planned,
    ///   `corrupt` when they are not those of this chunk. Neither can be mended by trying again.
    func read(_ index: Int64, deadline: Deadline) async throws(ServiceError) -> Chunk {
        let address = ChunkAddress(key: facts.key, version: facts.version, index: index, chunkBytes: facts.chunkBytes)
        let chunk = try await storage.read(address, deadline: deadline)
        try check(chunk, index: index)
        return chunk
    }

    /// One attempt to read a chunk ahead of time, limited by the deadline of a chunk.
    func readAhead(_ index: Int64) async -> Result<Chunk, ServiceError> {
        do throws(ServiceError) {
            return .success(try await read(index, deadline: .after(limits.chunkDeadline)))
        } catch {
            return .failure(error)
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

    private func check(_ chunk: Chunk, index: Int64) throws(ServiceError) {
        let offset = index * Int64(facts.chunkBytes)
        let count = min(Int64(facts.chunkBytes), facts.size - offset)
        guard chunk.version == facts.version else {
            throw ServiceError(.conflict, "The bytes of \"\(facts.key)\" were replaced while they were read.")
        }
        guard chunk.offset == offset, chunk.objectSize == facts.size, chunk.bytes.readableBytes == count else {
            throw ServiceError(
                .corrupt,
                """
                Chunk \(index) of "\(facts.key)" should be \(count) bytes at \(offset) of \(facts.size); storage sent \
                \(chunk.bytes.readableBytes) bytes at \(chunk.offset) of \(chunk.objectSize).
                """)
        }
    }
}
