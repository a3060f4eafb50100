import Domain
import NIOCore

/// Delivers a range of an object in order, reading ahead of the viewer by a bounded window of chunks.
///
/// Guarantees: the bytes come in order, each once, all of one version: a chunk that does not begin where the one before it
/// ended cuts the stream, whatever went wrong. No more than ``DeliveryLimits/readAheadChunks``
/// chunks are held or waited for, because a chunk is only asked for when the window has room, and the window moves only when
/// the viewer has taken the chunk before; when it returns or throws, nothing is being read any more.
///
/// A chunk that fails when it is read ahead is not tried again before the viewer needs it: so a system in trouble is asked
/// by each stream for one chunk at a time only.
struct ChunkStream: Sendable {
    /// Reads and checks the chunks.
    let reader: ChunkReader
    /// The bytes to deliver.
    let range: ByteRange
    /// The first of the range's chunks, which was read before the response was begun.
    let first: Chunk

    /// What has come of reading one chunk ahead.
    private struct Arrival {
        let index: Int64
        let result: Result<Chunk, ServiceError>
    }

    /// Delivers the bytes.
    ///
    /// - Parameter send: Takes the next bytes; returns when the viewer has room for more.
    /// - Throws: ``StreamFailure``, or `CancellationError` when the task was cancelled.
    @concurrent func deliver(to send: @concurrent (ByteBuffer) async throws -> Void) async throws {
        let indexes = range.chunkIndexes(chunkBytes: reader.facts.chunkBytes)
        try await withThrowingTaskGroup(of: Arrival.self) { group in
            var window = ReadAheadWindow(limit: reader.limits.readAheadChunks)
            var arrived: [Int64: Result<Chunk, ServiceError>] = [:]
            var nextToRead = indexes.lowerBound + 1
            var lastProgress = ContinuousClock.now
            for index in indexes {
                while nextToRead <= indexes.upperBound, nextToRead - index < Int64(window.chunks) {
                    startReading(nextToRead, in: &group)
                    nextToRead += 1
                }
                let chunk: Chunk
                if index == indexes.lowerBound {
                    chunk = first
                } else {
                    while arrived[index] == nil, let arrival = try await group.next() {
                        arrived[arrival.index] = arrival.result
                    }
                    chunk = try await usable(arrived.removeValue(forKey: index), index, since: lastProgress)
                }
                try await deliver(chunk, at: index, to: send)
                lastProgress = .now
                window.advance()
            }
        }
    }

    private func startReading(_ index: Int64, in group: inout ThrowingTaskGroup<Arrival, any Error>) {
        // The result is complete before the arrival is made of it: a closure that returned a tuple around a typed `try`
        // lost the index, when optimized by Swift 6.3.1, and chunks were taken for others.
        group.addTask { [reader] in
            let result = await reader.readAhead(index)
            return Arrival(index: index, result: result)
        }
    }

    /// The chunk that was read ahead, or, when that attempt failed in a way that may pass, the chunk read persistently
    /// within what is left of the stall budget.
    private func usable(
        _ result: Result<Chunk, ServiceError>?, _ index: Int64, since lastProgress: ContinuousClock.Instant
    ) async throws -> Chunk {
        do {
            switch result {
            case .success(let chunk):
                return chunk
            case .failure(let error) where !ChunkReader.mayPass(error):
                throw error
            case .failure, nil:
                try Task.checkCancellation()
                let giveUp = Deadline.after(reader.limits.stallBudget, from: lastProgress)
                return try await reader.readPersistently(index, giveUp: giveUp)
            }
        } catch let error as ServiceError {
            try Task.checkCancellation()
            throw StreamFailure.source(error)
        }
    }

    @concurrent private func deliver(
        _ chunk: Chunk, at index: Int64, to send: @concurrent (ByteBuffer) async throws -> Void
    ) async throws {
        guard chunk.offset == index * Int64(reader.facts.chunkBytes),
            let slice = range.slice(ofChunkAt: chunk.offset, count: chunk.bytes.readableBytes),
            let bytes = chunk.bytes.getSlice(at: chunk.bytes.readerIndex + slice.lowerBound, length: slice.count)
        else {
            throw StreamFailure.source(
                ServiceError(.corrupt, "The chunk at \(chunk.offset) is not chunk \(index) of \(range)."))
        }
        do {
            try await send(bytes)
        } catch {
            throw StreamFailure.viewer(error)
        }
    }
}
