/// Writes `Encodable` values as BSON documents.
///
/// | Swift | BSON |
/// |---|---|
/// | `Int`, `Int64`, `UInt`, `UInt32`, `UInt64` | int64; a number above `Int64.max` is an error |
/// | `Int8`, `Int16`, `Int32`, `UInt8`, `UInt16` | int32 |
/// | `Float`, `Double` | double |
/// | `Date` | date, to the nearest millisecond |
/// | `Data`, `[UInt8]` | binary, subtype 0 |
/// | ``ObjectID``, ``BSONDocument``, ``BSON`` and the other `BSON…` types | themselves |
/// | an optional property that is nil | no field |
///
/// Everything else follows its `Codable` conformance (a `UUID` is text). Fields come in the order in which the type
/// encodes them.
public struct BSONEncoder: Sendable {
    /// An encoder.
    public init() {}

    /// The document that a value encodes itself as.
    ///
    /// - Throws: `EncodingError` that names the coding path when a number does not fit, or the value is no document; the
    ///   error's cause is a ``BSONError`` when a name holds a NUL character, nesting is deeper than
    ///   ``BSONDocument/maxDepth``, or the result is larger than ``BSONDocument/maxBytes``. Whatever a type's own
    ///   `encode(to:)` throws.
    public func encode(_ value: some Encodable) throws -> BSONDocument {
        if let document = value as? BSONDocument { return document }
        let root = BSONEncodingNode()
        try BSONNodeEncoder(node: root, codingPath: []).encodeValue(value, into: root)
        switch root.content {
        case .value(.document(let document)):
            return document
        case .fields(let fields):
            do {
                var writer = BSONWriter()
                for (name, node) in fields {
                    try node.write(to: &writer, name: name)
                }
                return BSONDocument(wellFormed: try writer.finished())
            } catch {
                throw EncodingError.invalidValue(
                    value,
                    EncodingError.Context(codingPath: [], debugDescription: error.message, underlyingError: error))
            }
        default:
            throw EncodingError.invalidValue(
                value,
                EncodingError.Context(
                    codingPath: [],
                    debugDescription: "\(type(of: value)) does not encode itself as a document with fields"))
        }
    }
}
