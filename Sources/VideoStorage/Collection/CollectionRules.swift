#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// When something counts as left behind.
struct CollectionRules: Sendable, Equatable {
    /// An upload that nobody has touched for this long, in seconds, has been abandoned. Much longer than any pause that the
    /// gateway allows.
    var abandonedSeconds = 3_600
    /// A blob that was retired this long ago, in seconds, is deleted. Whoever was reading it then has read it to its end,
    /// or reads on at the pace of a film: a player asks anew, and gets the new version.
    var retiredSeconds = 600
    /// How long it is known, in seconds, what became of an upload that was committed: for commits that are repeated.
    var committedSeconds = 86_400
    /// The pause between two rounds, in seconds.
    var pauseSeconds = 60

    /// How often an upload that is being filled is marked as alive, in seconds: well before it would count as abandoned, and
    /// much less often than a block comes.
    var touchSeconds: TimeInterval { min(60, TimeInterval(abandonedSeconds) / 4) }

    /// How long what is left of an upload that was given up stays, in seconds: a worker that was about to name its blob when it
    /// was given up may do so yet, for ``Upload/namingSeconds``, and what it sends may be late.
    var overSeconds: Int { max(retiredSeconds, 3 * Upload.namingSeconds) }

    /// The moment before which uploads must have been given up.
    func overBefore(_ now: Date) -> Date { now.addingTimeInterval(-TimeInterval(overSeconds)) }
    /// The moment before which uploads count as abandoned.
    func abandonedBefore(_ now: Date) -> Date { now.addingTimeInterval(-TimeInterval(abandonedSeconds)) }
    /// The moment before which blobs must have been retired.
    func retiredBefore(_ now: Date) -> Date { now.addingTimeInterval(-TimeInterval(retiredSeconds)) }
    /// The moment before which committed uploads are forgotten.
    func committedBefore(_ now: Date) -> Date { now.addingTimeInterval(-TimeInterval(committedSeconds)) }
}
