/// What ``SharedFetches`` remember of what they have fetched, and for how long. A value that is told the time.
protocol AnswerMemory: Sendable {
    /// What is asked for.
    associatedtype Key: Hashable & Sendable
    /// What is answered.
    associatedtype Answer: Sendable

    /// The answer, where it is remembered and good.
    mutating func answer(to key: Key, now: ContinuousClock.Instant) -> Answer?

    /// Takes an answer in, if it is one to remember.
    ///
    /// - Parameters:
    ///   - answer: What was answered.
    ///   - key: What was asked for.
    ///   - asked: When it was asked for: the answer is no younger than that.
    mutating func keep(_ answer: Answer, to key: Key, asked: ContinuousClock.Instant)

    /// Forgets an answer.
    mutating func forget(_ key: Key)
}

/// Remembers nothing.
struct NoMemory<Key: Hashable & Sendable, Answer: Sendable>: AnswerMemory {
    mutating func answer(to key: Key, now: ContinuousClock.Instant) -> Answer? { nil }

    mutating func keep(_ answer: Answer, to key: Key, asked: ContinuousClock.Instant) {}

    mutating func forget(_ key: Key) {}
}
