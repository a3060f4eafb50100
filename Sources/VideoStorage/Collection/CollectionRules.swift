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

    /// The moment before which uploads count as abandoned.
    func abandonedBefore(_ now: Date) -> Date { now.addingTimeInterval(-TimeInterval(abandonedSeconds)) }
    /// The moment before which blobs must have been retired.
    func retiredBefore(_ now: Date) -> Date { now.addingTimeInterval(-TimeInterval(retiredSeconds)) }
    /// The moment before which committed uploads are forgotten.
    func committedBefore(_ now: Date) -> Date { now.addingTimeInterval(-TimeInterval(committedSeconds)) }
}
