/// What an update did.
public struct MongoUpdateResult: Hashable, Sendable {
    /// How many documents the filter matched. A document that was added counts as none.
    public let matched: Int
    /// How many of them are different now.
    public let modified: Int
    /// The `_id` of the document that was added, nil when none was.
    public let upsertedID: BSON?
}
