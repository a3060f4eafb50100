/// A collection whose documents are of one Swift type.
///
/// Every operation is atomic for one document, has a deadline, and throws ``MongoError`` or `CancellationError`; what holds for
/// a write after an error is said at ``MongoClient``. Filters and updates are ``BSONDocument``s in MongoDB's query
/// language: values are typed, so that a text that begins with `$` stays a text.
public struct MongoCollection<Document: Codable & Sendable>: Sendable {
    let client: MongoClient
    /// The collection's name within the client's database.
    public let name: String

    // MARK: - Between Swift and BSON

    /// The document with an `_id` in front, a new one where the value has none.
    func encode(_ value: Document) throws(MongoError) -> (id: BSON, document: BSONDocument) {
        var document = try encodeAsIs(value)
        if let id = document["_id"] { return (id, document) }
        let id = ObjectID()
        document = document.withIdentifier(id)
        try checkSize(document)
        return (.objectID(id), document)
    }

    private func checkSize(_ document: BSONDocument) throws(MongoError) {
        guard document.bytes.count <= BSONDocument.maxStoredBytes else {
            throw MongoError(
                .tooLarge,
                "the document has \(document.bytes.count) bytes; MongoDB stores \(BSONDocument.maxStoredBytes) at most",
                collection: name)
        }
    }

    /// The document as it is, with or without an `_id`.
    func encodeAsIs(_ value: Document) throws(MongoError) -> BSONDocument {
        let document: BSONDocument
        do {
            document = try BSONEncoder().encode(value)
        } catch {
            throw encodingError(error)
        }
        try checkSize(document)
        return document
    }

    /// The value in a document that came from the server.
    func decode(_ document: BSONDocument, operation: String) throws(MongoError) -> Document {
        if let document = document as? Document { return document }
        do {
            return try BSONDecoder().decode(Document.self, from: document)
        } catch {
            throw malformed(error, id: document["_id"], operation: operation)
        }
    }

    /// The value in bytes that came from the server.
    func decode(_ bytes: [UInt8], operation: String) throws(MongoError) -> Document {
        let document: BSONDocument
        do {
            document = try BSONDocument(bytes: bytes)
        } catch {
            throw malformed(error, id: BSONDocument.identifier(inUnchecked: bytes)?["_id"], operation: operation)
        }
        return try decode(document, operation: operation)
    }

    private func encodingError(_ error: any Error) -> MongoError {
        var cause = error as? BSONError
        var field: String?
        var message = "\(error)"
        if case EncodingError.invalidValue(_, let context) = error {
            cause = context.underlyingError as? BSONError
            field = context.codingPath.isEmpty ? nil : fieldPath(context.codingPath)
            message = context.debugDescription
        }
        return MongoError(
            cause?.kind == .tooLarge ? .tooLarge : .malformedDocument,
            "the value cannot be written to MongoDB: \(message)", cause: error, collection: name, field: field)
    }

    /// The error for a stored document of the wrong shape, which is logged here, the one time.
    private func malformed(_ error: any Error, id: BSON?, operation: String) -> MongoError {
        var field: String?
        var reason = "\(error)"
        var loggable: String?
        switch error {
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            field = fieldPath(context.codingPath)
            reason = context.debugDescription
            loggable = reason
        case DecodingError.keyNotFound(let key, let context):
            field = fieldPath(context.codingPath + [key])
            reason = context.debugDescription
            loggable = reason
        case DecodingError.dataCorrupted(let context):
            // The standard library quotes the value here, for instance one that is no case of an enumeration.
            field = fieldPath(context.codingPath)
            reason = context.debugDescription
        case let error as BSONError:
            reason = error.description
            loggable = reason
        default:
            break
        }
        let which = id?.objectIDValue.map { "the document with _id \($0)" } ?? "a document"
        let failure = MongoError(
            .malformedDocument, "\(which) does not have the expected shape: \(reason); mend or remove it", cause: error,
            collection: name, field: field, documentID: id, loggableReason: loggable)
        client.report(failure, operation: operation)
        return failure
    }
}
