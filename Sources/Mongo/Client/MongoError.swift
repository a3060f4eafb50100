/// Why a database operation did not succeed.
///
/// Operations throw this, and `CancellationError` when their task is cancelled; nothing else.
public struct MongoError: Error, Sendable, CustomStringConvertible {
    /// What went wrong, for programs.
    public enum Kind: Hashable, Sendable {
        /// The configuration cannot work: a malformed URI, or credentials that the server refuses.
        case invalidConfiguration
        /// No server could be reached, or the connection broke. A write may have been done or not.
        case unavailable
        /// The deadline passed. A write that had been started may have been done or not.
        case deadlineExceeded
        /// A unique index already has that key. ``MongoError/field`` names the fields of the index.
        case duplicateKey
        /// The queue is full; nothing was sent.
        case overloaded
        /// A stored document does not have the expected shape, or a value cannot be written as a document.
        case malformedDocument
        /// A document or a result is over a stated limit.
        case tooLarge
        /// The server refused the command for another reason; the code is MongoDB's.
        case commandFailed(code: Int32)
        /// The client has been shut down; nothing was sent.
        case closed
    }

    /// What went wrong, for programs.
    public let kind: Kind
    /// What went wrong and how to mend it, for humans. It may quote the server, and a type's own `init(from:)`, but no other
    /// content of documents.
    public let message: String
    /// The error underneath, if there was one.
    public let cause: (any Error)?
    /// The collection concerned.
    public internal(set) var collection: String?
    /// The field concerned, with dots: `pendingEvents.0.id`.
    public let field: String?
    /// The `_id` of the document concerned, if it is known.
    public let documentID: BSON?

    /// What may be logged of the reason: it quotes no document.
    let loggableReason: String?

    init(
        _ kind: Kind, _ message: String, cause: (any Error)? = nil, collection: String? = nil, field: String? = nil,
        documentID: BSON? = nil, loggableReason: String? = nil
    ) {
        self.kind = kind
        self.message = message
        self.cause = cause
        self.collection = collection
        self.field = field
        self.documentID = documentID
        self.loggableReason = loggableReason
    }

    /// The message with the collection.
    public var description: String {
        collection.map { "\(message) (collection \($0))" } ?? message
    }
}

extension MongoError.Kind {
    /// A word for logs and metrics.
    var label: String {
        switch self {
        case .commandFailed: "commandFailed"
        default: "\(self)"
        }
    }
}
