import Domain
import Synchronization

/// What objects' facts were last: too old to deliver by, and good enough to guess which chunk is wanted.
final class LastFacts: Sendable {
    private let facts = Mutex(RecentAnswers<StorageKey, ObjectFacts>(lifetime: .seconds(3_600), maxCount: 10_000))
    /// What storage cuts objects into; until it has said so, the smallest that it may.
    private let lastChunkBytes = Atomic<Int>(StorageLimits.chunkBytesRange.lowerBound)

    /// Bytes of the chunks of the object that was asked for last.
    var chunkBytes: Int { lastChunkBytes.load(ordering: .relaxed) }

    /// Takes note of what storage has said.
    func note(_ said: ObjectFacts) {
        lastChunkBytes.store(said.chunkBytes, ordering: .relaxed)
        facts.withLock { $0.keep(said, to: said.key, asked: .now) }
    }

    /// The chunk in which a reader would begin, if the object is as it was.
    func address(_ key: StorageKey, at start: ReadStart) -> ChunkAddress? {
        guard let last = facts.withLock({ $0.answer(to: key, now: .now) }),
            let index = start.chunkIndex(size: last.size, chunkBytes: last.chunkBytes)
        else { return nil }
        return last.address(ofChunk: index)
    }
}
