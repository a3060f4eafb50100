#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// One BSON value, with every type that the BSON specification 1.1 knows, so that whatever a server sends can be kept.
///
/// Literals work where a value is expected: `["title": "Weir", "size": 12, "tags": ["water"], "owner": nil]`. An integer
/// literal becomes an int32 when it fits and an int64 otherwise.
public enum BSON: Hashable, Sendable {
    /// A 64-bit floating-point number.
    case double(Double)
    /// UTF-8 text; NUL characters are allowed.
    case string(String)
    /// A nested document.
    case document(BSONDocument)
    /// A list of values. Written with the keys "0", "1", …; what the keys were when read is not kept.
    case array([BSON])
    /// Bytes with a subtype.
    case binary(BSONBinary)
    /// A 12-byte identifier.
    case objectID(ObjectID)
    /// True or false.
    case bool(Bool)
    /// An instant, in whole milliseconds on the wire: what a `Date` holds beyond that is rounded away.
    case date(Date)
    /// The null value, which is not the same as an absent field.
    case null
    /// A regular expression.
    case regex(BSONRegex)
    /// A 32-bit signed integer.
    case int32(Int32)
    /// A replication timestamp. For points in time use ``date(_:)``.
    case timestamp(BSONTimestamp)
    /// A 64-bit signed integer.
    case int64(Int64)
    /// An IEEE 754 decimal number, kept as its bytes.
    case decimal128(BSONDecimal128)
    /// Sorts before everything.
    case minKey
    /// Sorts after everything.
    case maxKey
    /// Deprecated in the specification; kept when read.
    case undefined
    /// JavaScript source, without variables.
    case javascript(String)
    /// JavaScript source with variables; deprecated in the specification, kept when read.
    case javascriptWithScope(String, BSONDocument)
    /// Deprecated in the specification; kept when read.
    case symbol(String)
    /// Deprecated in the specification; kept when read.
    case dbPointer(String, ObjectID)

    var type: BSONType {
        switch self {
        case .double: .double
        case .string: .string
        case .document: .document
        case .array: .array
        case .binary: .binary
        case .objectID: .objectID
        case .bool: .bool
        case .date: .date
        case .null: .null
        case .regex: .regex
        case .int32: .int32
        case .timestamp: .timestamp
        case .int64: .int64
        case .decimal128: .decimal128
        case .minKey: .minKey
        case .maxKey: .maxKey
        case .undefined: .undefined
        case .javascript: .javascript
        case .javascriptWithScope: .javascriptWithScope
        case .symbol: .symbol
        case .dbPointer: .dbPointer
        }
    }

    /// The type's name, as error messages give it: `string`, `int32`, `ObjectID`, ….
    public var typeName: String { type.name }
}

extension BSON {
    /// The text of a string value, else nil.
    public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The identifier of an ObjectID value, else nil.
    public var objectIDValue: ObjectID? {
        if case .objectID(let value) = self { value } else { nil }
    }

    /// The nested document, else nil.
    public var documentValue: BSONDocument? {
        if case .document(let value) = self { value } else { nil }
    }

    /// The list, else nil.
    public var arrayValue: [BSON]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The truth value of a bool, else nil. Numbers are not taken for truth values.
    public var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The whole number in an int32, an int64, or a double without a fraction that fits; else nil.
    public var integerValue: Int64? {
        switch self {
        case .int32(let value): Int64(value)
        case .int64(let value): value
        case .double(let value): Int64(exactly: value)
        default: nil
        }
    }
}

extension BSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }

    /// An int32 when the number fits, else an int64: what a database shell and other drivers write.
    public init(integerLiteral value: Int64) {
        self = Int32(exactly: value).map(BSON.int32) ?? .int64(value)
    }

    /// A double.
    public init(floatLiteral value: Double) { self = .double(value) }

    /// A bool.
    public init(booleanLiteral value: Bool) { self = .bool(value) }

    /// The null value.
    public init(nilLiteral: ()) { self = .null }

    /// A list.
    public init(arrayLiteral elements: BSON...) { self = .array(elements) }

    /// A nested document. Keys as ``BSONDocument/init(dictionaryLiteral:)`` takes them.
    public init(dictionaryLiteral elements: (String, BSON)...) {
        self = .document(BSONDocument(literal: elements))
    }
}
