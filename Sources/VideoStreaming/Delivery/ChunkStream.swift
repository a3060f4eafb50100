import Domain
import NIOCore
import Synchronization

/// Delivers a range of an object in order, reading ahead of the viewer by a bounded window of chunks.
///
/// Guarantees: the bytes come in order, each once, all of one version: a chunk that does not begin where the one before it
/// ended cuts the stream, whatever went wrong. No more than ``DeliveryLimits/readAheadChunks`` chunks are held or waited
/// for, because a chunk is only asked for when the window has room, and the window moves only when the viewer has taken the
/// chunk before. All but the one that the viewer waits for come out of the ``ReadAheadBudget``. When it returns or throws,
/// it waits for nothing any more.
///
/// What the cache has is not read ahead; as long as it has all that the window has room for, one chunk is sent after the other without
/// a task being woken. A chunk that fails when it is read ahead is not tried again before the viewer needs
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

    /// What has come of reading some chunks ahead.
    private struct Arrival {
        let indexes: [Int64]
        let results: [Result<Chunk, ServiceError>]
    }

    /// What is read ahead of the viewer.
    private struct Ahead {
        var position: ReadAheadPosition
        var part: ReadAheadBudget.Part
        /// Chunks that were asked for, and what has come of it so far.
        var asked: [Int64: Result<Chunk, ServiceError>?] = [:]
        /// What goes back to the budget with a chunk, in bytes. Chunks of one read share their memory, and go with the last of them.
        var bytesToGiveBack: [Int64: Int] = [:]
    }

    private var chunkBytes: Int { reader.facts.chunkBytes }

    /// Delivers the bytes.
    ///
    /// - Parameter sink: Takes the bytes.
    /// - Throws: ``StreamFailure``, or `CancellationError` when the task was cancelled.
    @concurrent func deliver(to sink: some BodySink) async throws {
        let indexes = range.chunkIndexes(chunkBytes: chunkBytes)
        guard indexes.count > 1 else {
            let bytes = try piece(try await needed(indexes.lowerBound, since: .now), at: indexes.lowerBound)
            return try await hand(ReadyPieces(bytes), to: sink)
        }
        try await withThrowingTaskGroup(of: Arrival.self) { group in
            let window = ReadAheadWindow(limit: reader.limits.readAheadChunks)
            var ahead = Ahead(position: ReadAheadPosition(indexes, window: window), part: budget.enter())
            var lastProgress = ContinuousClock.now
            while !ahead.position.isAtEnd {
                readAhead(&ahead, in: &group)
                let index = ahead.position.index
                let wasAskedFor = ahead.asked[index] != nil
                let chunk =
                    wasAskedFor
                    ? try await arrived(index, &ahead, in: &group, since: lastProgress)
                    : try await needed(index, since: lastProgress)
                let bytes = try piece(chunk, at: index)
                // What comes of the budget goes back with its chunk, and not after all that follows it.
                if ahead.asked.isEmpty, !wasAskedFor {
                    let position = Mutex(ahead.position)
                    try await hand(ReadyPieces(bytes) { position.withLock { nextFromMemory(&$0) } }, to: sink)
                    ahead.position = position.withLock { $0 }
                } else {
                    try await hand(ReadyPieces(bytes), to: sink)
                }
                if let bytes = ahead.bytesToGiveBack.removeValue(forKey: index) { ahead.part.giveBack(bytes) }
                lastProgress = .now
                ahead.position.advance()
            }
        }
    }

    /// The bytes of the next chunk, if the cache has it and all that there is to look at ahead of it.
    private func nextFromMemory(_ position: inout ReadAheadPosition) -> ByteBuffer? {
        var next = position
        next.advance()
        while let index = next.toLookAt {
            guard reader.holds(index) else { return nil }
            next.looked()
        }
        guard !next.isAtEnd, let chunk = try? reader.remembered(next.index),
            let bytes = try? piece(chunk, at: next.index)
        else { return nil }
        position = next
        return bytes
    }

    /// Asks for the chunks that the window has room for, unless the cache has them.
    private func readAhead(_ ahead: inout Ahead, in group: inout Group) {
        while let index = ahead.position.toLookAt {
            if reader.holds(index) {
                ahead.position.looked()
                continue
            }
            if let run = reader.facts.run(beginningAt: index) {
                switch ahead.position.fit(upTo: run.upperBound) {
                case .later: return
                case .now where ask(for: run.filter { !reader.holds($0) }, &ahead, in: &group):
                    ahead.position.looked(at: run.count)
                    continue
                case .now, .never: break
                }
            }
            guard ask(for: [index], &ahead, in: &group) else { return }
            ahead.position.looked()
        }
    }

    /// Asks for chunks by one call, if the budget has room for them.
    private func ask(for indexes: [Int64], _ ahead: inout Ahead, in group: inout Group) -> Bool {
        guard let last = indexes.last, ahead.part.take(indexes.count * chunkBytes) else { return false }
        ahead.bytesToGiveBack[last] = indexes.count * chunkBytes
        for index in indexes { ahead.asked.updateValue(nil, forKey: index) }
        // The results are complete before the arrival is made of them: a closure that returned a tuple around a typed `try`
        // lost the index, when optimized by Swift 6.3.1, and chunks were taken for others.
        group.addTask { [reader] in
            let results = await reader.readAhead(indexes)
            return Arrival(indexes: indexes, results: results)
        }
        return true
    }

    /// The chunk that was read ahead, or, when that attempt failed in a way that may pass, the chunk read persistently
    /// within what is left of the stall budget.
    private func arrived(
        _ index: Int64, _ ahead: inout Ahead, in group: inout Group, since lastProgress: ContinuousClock.Instant
    ) async throws -> Chunk {
        let began = ContinuousClock.now
        var hasWaited = false
        while case .some(.none) = ahead.asked[index], let arrival = try await group.next() {
            for (index, result) in zip(arrival.indexes, arrival.results) { ahead.asked[index] = result }
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

    /// What of a chunk is in the range.
    private func piece(_ chunk: Chunk, at index: Int64) throws -> ByteBuffer {
        guard chunk.offset == index * Int64(chunkBytes), let bytes = chunk.piece(of: range) else {
            throw StreamFailure.source(
                ServiceError(.corrupt, "The chunk at \(chunk.offset) is not chunk \(index) of \(range)."))
        }
        return bytes
    }

    private func hand(_ pieces: ReadyPieces, to sink: some BodySink) async throws {
        do {
            try await sink.send(pieces)
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
