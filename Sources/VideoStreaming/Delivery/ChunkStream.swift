import Domain
import NIOCore

/// Delivers a range of an object in order, reading ahead of the viewer by a bounded window of chunks.
///
/// Guarantees: the bytes come in order, each once, all of one version: a chunk that does not begin where the one before it
/// ended cuts the stream, whatever went wrong. No more than ``DeliveryLimits/readAheadChunks`` chunks are held or waited
/// for, because a chunk is only asked for when the window has room, and the window moves only when the viewer has taken the
/// chunk before. All but the one that the viewer waits for come out of the ``ReadAheadBudget``. When it returns or throws,
/// it waits for nothing any more.
///
/// What the cache has is not read ahead. A chunk that fails when it is read ahead is not tried again before the viewer needs
/// it: so a system in trouble is asked by each stream for one chunk at a time only.
struct ChunkStream: Sendable {
    /// Reads and checks the chunks.
    let reader: ChunkReader
    /// The bytes to deliver.
    let range: ByteRange
    /// The first of the range's chunks, where it has been read already.
    let first: Chunk?
    /// What may be held ahead of the viewer.
    let budget: ReadAheadBudget

    private typealias Group = ThrowingTaskGroup<Arrival, any Error>

    /// What has come of reading one chunk ahead.
    private struct Arrival {
        let index: Int64
        let result: Result<Chunk, ServiceError>
    }

    /// What is read ahead of the viewer.
    private struct Ahead {
        var window: ReadAheadWindow
        var part: ReadAheadBudget.Part
        /// The first chunk that has not been looked at yet.
        var next: Int64
        /// Chunks that were asked for, and what has come of it so far.
        var asked: [Int64: Result<Chunk, ServiceError>?] = [:]
    }

    private var chunkBytes: Int { reader.facts.chunkBytes }

    /// Delivers the bytes.
    ///
    /// - Parameter send: Takes the next bytes; returns when the viewer has room for more.
    /// - Throws: ``StreamFailure``, or `CancellationError` when the task was cancelled.
    @concurrent func deliver(to send: @concurrent (ByteBuffer) async throws -> Void) async throws {
        let indexes = range.chunkIndexes(chunkBytes: chunkBytes)
        guard indexes.count > 1 else {
            let index = indexes.lowerBound
            return try await hand(try await needed(index, since: .now), at: index, to: send)
        }
        try await withThrowingTaskGroup(of: Arrival.self) { group in
            var ahead = Ahead(
                window: ReadAheadWindow(limit: reader.limits.readAheadChunks), part: budget.enter(),
                next: indexes.lowerBound + 1)
            var lastProgress = ContinuousClock.now
            for index in indexes {
                readAhead(of: index, upTo: indexes.upperBound, &ahead, in: &group)
                let chunk: Chunk
                let wasAskedFor = ahead.asked[index] != nil
                if wasAskedFor {
                    chunk = try await arrived(index, &ahead, in: &group, since: lastProgress)
                } else {
                    chunk = try await needed(index, since: lastProgress)
                }
                try await hand(chunk, at: index, to: send)
                if wasAskedFor { ahead.part.giveBack(chunkBytes) }
                lastProgress = .now
                ahead.window.advance()
            }
        }
    }

    /// Asks for the chunks that the window has room for, unless the cache has them.
    private func readAhead(of index: Int64, upTo last: Int64, _ ahead: inout Ahead, in group: inout Group) {
        ahead.next = max(ahead.next, index + 1)
        while ahead.next <= last, ahead.next - index < Int64(ahead.window.chunks) {
            if !reader.holds(ahead.next) {
                guard ahead.part.take(chunkBytes) else { return }
                ahead.asked.updateValue(nil, forKey: ahead.next)
                startReading(ahead.next, in: &group)
            }
            ahead.next += 1
        }
    }

    private func startReading(_ index: Int64, in group: inout Group) {
        // The result is complete before the arrival is made of it: a closure that returned a tuple around a typed `try`
        // lost the index, when optimized by Swift 6.3.1, and chunks were taken for others.
        group.addTask { [reader] in
            let result = await reader.readAhead(index)
            return Arrival(index: index, result: result)
        }
    }

    /// The chunk that was read ahead, or, when that attempt failed in a way that may pass, the chunk read persistently
    /// within what is left of the stall budget.
    private func arrived(
        _ index: Int64, _ ahead: inout Ahead, in group: inout Group, since lastProgress: ContinuousClock.Instant
    ) async throws -> Chunk {
        let began = ContinuousClock.now
        var hasWaited = false
        while case .some(.none) = ahead.asked[index], let arrival = try await group.next() {
            ahead.asked[arrival.index] = arrival.result
            hasWaited = true
        }
        if hasWaited { reader.source.metrics.stalled(began.duration(to: .now)) }
        let result = ahead.asked.removeValue(forKey: index)?.flatMap(\.self)
        switch result {
        case .success(let chunk):
            return chunk
        case .failure(let error) where !ChunkReader.mayPass(error):
            try Task.checkCancellation()
            throw StreamFailure.source(error)
        case .failure, nil:
            return try await needed(index, since: lastProgress)
        }
    }

    /// The chunk that the viewer waits for: the one that was read already, else the cache's, else storage's.
    private func needed(_ index: Int64, since lastProgress: ContinuousClock.Instant) async throws -> Chunk {
        if let first, first.offset == index * Int64(chunkBytes) { return first }
        do {
            if let chunk = try reader.remembered(index) { return chunk }
            try Task.checkCancellation()
            let began = ContinuousClock.now
            let giveUp = Deadline.after(reader.limits.stallBudget, from: lastProgress)
            let chunk = try await reader.readPersistently(index, giveUp: giveUp)
            reader.source.metrics.stalled(began.duration(to: .now))
            return chunk
        } catch let error as ServiceError {
            try Task.checkCancellation()
            throw StreamFailure.source(error)
        }
    }

    @concurrent private func hand(
        _ chunk: Chunk, at index: Int64, to send: @concurrent (ByteBuffer) async throws -> Void
    ) async throws {
        guard chunk.offset == index * Int64(chunkBytes), let bytes = chunk.piece(of: range) else {
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

extension Chunk {
    /// Those of its bytes that are in a range, in the same memory; `nil` when there are none.
    func piece(of range: ByteRange) -> ByteBuffer? {
        guard let slice = range.slice(ofChunkAt: offset, count: bytes.readableBytes) else { return nil }
        return bytes.getSlice(at: bytes.readerIndex + slice.lowerBound, length: slice.count)
    }
}
