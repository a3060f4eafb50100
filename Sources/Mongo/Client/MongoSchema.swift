/// Which version a database's shape has. It stands in a document of its own, `{_id: "schema", version: 2}` in the collection
/// `schema`; a database without one has version 1.
///
/// A program that changes the shape in a way that older ones would misread writes the document first. Whoever finds a
/// version above its own must leave the database alone.
public enum MongoSchema {
    /// The collection.
    public static let collection = "schema"
    /// The document's `_id`.
    public static let id = "schema"
    /// The field with the version.
    public static let field = "version"

    /// Looks.
    ///
    /// - Parameters:
    ///   - client: The database.
    ///   - deadline: When to give up.
    /// - Returns: The version, at least 1.
    /// - Throws: ``MongoError``; `malformedDocument` when the document has no such number.
    public static func version(in client: MongoClient, deadline: ContinuousClock.Instant) async throws -> Int {
        let documents = client.collection(collection, of: BSONDocument.self)
        guard let found = try await documents.findOne(["_id": .string(id)], deadline: deadline) else { return 1 }
        guard let version = found[field]?.integerValue, version >= 1 else {
            throw MongoError(
                .malformedDocument, "The document \(id) has no number of 1 or above in its field.",
                collection: collection, field: field)
        }
        return Int(version)
    }
}
