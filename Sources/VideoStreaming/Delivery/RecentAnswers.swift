import DequeModule

/// Remembers answers for a short while, counted from when they were asked for.
struct RecentAnswers<Key: Hashable & Sendable, Answer: Sendable>: AnswerMemory {
    private struct Entry {
        var answer: Answer
        var asked: ContinuousClock.Instant
        var number: Int
    }

    private struct Place {
        var key: Key
        var asked: ContinuousClock.Instant
        var number: Int
    }

    private let lifetime: Duration
    private let maxCount: Int
    private var entries: [Key: Entry] = [:]
    /// Each entry in the order in which they came, and some that are gone or were exchanged since.
    private var order: Deque<Place> = []
    private var lastNumber = 0

    /// A memory that holds so many answers for so long. When it is full, the oldest makes room.
    init(lifetime: Duration, maxCount: Int) {
        self.lifetime = lifetime
        self.maxCount = max(1, maxCount)
    }

    /// How many answers it holds, some of them perhaps too old to be given.
    var count: Int { entries.count }

    func answer(to key: Key, now: ContinuousClock.Instant) -> Answer? {
        guard let entry = entries[key], entry.asked.duration(to: now) < lifetime else { return nil }
        return entry.answer
    }

    mutating func keep(_ answer: Answer, to key: Key, asked: ContinuousClock.Instant) {
        lastNumber += 1
        entries[key] = Entry(answer: answer, asked: asked, number: lastNumber)
        order.append(Place(key: key, asked: asked, number: lastNumber))
        while let oldest = order.first,
            entries.count > maxCount || order.count > 2 * maxCount || oldest.asked.duration(to: asked) >= lifetime
        {
            order.removeFirst()
            if entries[oldest.key]?.number == oldest.number { entries[oldest.key] = nil }
        }
    }

    mutating func forget(_ key: Key) {
        entries[key] = nil
    }
}
