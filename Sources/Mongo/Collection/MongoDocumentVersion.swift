/// Which version of a document an update gives back.
public enum MongoDocumentVersion: Sendable {
    /// As it was before the update.
    case before
    /// As it is after the update.
    case after
}
