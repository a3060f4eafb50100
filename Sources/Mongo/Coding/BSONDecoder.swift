/// Reads `Decodable` types from BSON documents.
///
/// - A whole number is read from an int32, an int64 or a double without a fraction, if it fits.
/// - A floating-point number is read from a double or, if it stays exact, an integer.
/// - `Date`, `Data`, `[UInt8]`, ``ObjectID`` and the `BSON…` types are read from their own BSON types.
/// - Fields that the type does not ask for are ignored. Of two fields with the same name the first counts.
/// - A field that is absent or null is nil for an optional property, and an error for another.
public struct BSONDecoder: Sendable {
    /// A decoder.
    public init() {}

    /// A value from a document.
    ///
    /// - Throws: `DecodingError` whose coding path and description name the field, what was expected and what was found;
    ///   values are not quoted. Whatever a type's own `init(from:)` throws.
    public func decode<Value: Decodable>(_ type: Value.Type, from document: BSONDocument) throws -> Value {
        try BSONValueDecoder(value: .document(document), codingPath: []).decode(type)
    }

    /// A value from the bytes of a document, which are checked first.
    ///
    /// - Throws: ``BSONError`` when the bytes are not a document, else as ``decode(_:from:)``.
    public func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        try decode(type, from: try BSONDocument(bytes: bytes))
    }
}
