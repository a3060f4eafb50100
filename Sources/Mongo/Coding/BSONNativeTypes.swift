#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The Swift types that BSON has a type of its own for, and which therefore do not go through their `Codable` conformance.
enum BSONNativeTypes {
    /// The BSON value of such a type; nil when the type is not one of them.
    static func box<Value>(_ value: Value) -> BSON? {
        switch value {
        case let value as BSON: return value
        case let value as BSONDocument: return .document(value)
        case let value as ObjectID: return .objectID(value)
        case let value as Date: return .date(value)
        case let value as Data: return .binary(BSONBinary(Array(value)))
        case let value as BSONBinary: return .binary(value)
        case let value as BSONRegex: return .regex(value)
        case let value as BSONTimestamp: return .timestamp(value)
        case let value as BSONDecimal128: return .decimal128(value)
        default:
            // By the static type: an empty array of anything would pass `as? [UInt8]`.
            guard Value.self == [UInt8].self, let bytes = value as? [UInt8] else { return nil }
            return .binary(BSONBinary(bytes))
        }
    }

    /// The name of the BSON type that a native Swift type is read from; nil when the type is not native.
    static func bsonName<Value>(of type: Value.Type) -> String? {
        switch type {
        case is BSON.Type: "any"
        case is BSONDocument.Type: BSONType.document.name
        case is ObjectID.Type: BSONType.objectID.name
        case is Date.Type: BSONType.date.name
        case is Data.Type, is BSONBinary.Type, is [UInt8].Type: BSONType.binary.name
        case is BSONRegex.Type: BSONType.regex.name
        case is BSONTimestamp.Type: BSONType.timestamp.name
        case is BSONDecimal128.Type: BSONType.decimal128.name
        default: nil
        }
    }

    /// The native Swift value in a BSON value; nil when it is of another type.
    static func unbox<Value>(_ bson: BSON, as type: Value.Type) -> Value? {
        if Value.self == BSON.self { return bson as? Value }
        switch bson {
        case .document(let value): return value as? Value
        case .objectID(let value): return value as? Value
        case .date(let value): return value as? Value
        case .regex(let value): return value as? Value
        case .timestamp(let value): return value as? Value
        case .decimal128(let value): return value as? Value
        case .binary(let value):
            if Value.self == Data.self { return Data(value.bytes) as? Value }
            return Value.self == [UInt8].self ? value.bytes as? Value : value as? Value
        case .array(let values) where Value.self == [UInt8].self:
            // What a program that does not know the binary type would have written.
            return bytes(of: values) as? Value
        default: return nil
        }
    }

    private static func bytes(of values: [BSON]) -> [UInt8]? {
        var bytes: [UInt8] = []
        for value in values {
            guard let byte = value.integerValue.flatMap(UInt8.init(exactly:)) else { return nil }
            bytes.append(byte)
        }
        return bytes
    }
}

/// Types that only the BSON coders can carry. They are `Codable` so that they can be fields of types that are; another
/// format's coder is refused with an error.
private func refusedEncoding<Value>(_ value: Value, _ encoder: any Encoder) -> EncodingError {
    .invalidValue(
        value,
        EncodingError.Context(
            codingPath: encoder.codingPath, debugDescription: "\(Value.self) can only be written by BSONEncoder"))
}

private func refusedDecoding<Value>(_ type: Value.Type, _ decoder: any Decoder) -> DecodingError {
    .dataCorrupted(
        DecodingError.Context(
            codingPath: decoder.codingPath, debugDescription: "\(type) can only be read by BSONDecoder"))
}

extension BSON: Codable {
    /// Read by ``BSONDecoder`` only.
    public init(from decoder: any Decoder) throws { throw refusedDecoding(Self.self, decoder) }

    /// Written by ``BSONEncoder`` only.
    public func encode(to encoder: any Encoder) throws { throw refusedEncoding(self, encoder) }
}

extension BSONDocument: Codable {
    /// Read by ``BSONDecoder`` only.
    public init(from decoder: any Decoder) throws { throw refusedDecoding(Self.self, decoder) }

    /// Written by ``BSONEncoder`` only.
    public func encode(to encoder: any Encoder) throws { throw refusedEncoding(self, encoder) }
}

extension BSONBinary: Codable {
    /// Read by ``BSONDecoder`` only.
    public init(from decoder: any Decoder) throws { throw refusedDecoding(Self.self, decoder) }

    /// Written by ``BSONEncoder`` only.
    public func encode(to encoder: any Encoder) throws { throw refusedEncoding(self, encoder) }
}

extension BSONRegex: Codable {
    /// Read by ``BSONDecoder`` only.
    public init(from decoder: any Decoder) throws { throw refusedDecoding(Self.self, decoder) }

    /// Written by ``BSONEncoder`` only.
    public func encode(to encoder: any Encoder) throws { throw refusedEncoding(self, encoder) }
}

extension BSONTimestamp: Codable {
    /// Read by ``BSONDecoder`` only.
    public init(from decoder: any Decoder) throws { throw refusedDecoding(Self.self, decoder) }

    /// Written by ``BSONEncoder`` only.
    public func encode(to encoder: any Encoder) throws { throw refusedEncoding(self, encoder) }
}

extension BSONDecimal128: Codable {
    /// Read by ``BSONDecoder`` only.
    public init(from decoder: any Decoder) throws { throw refusedDecoding(Self.self, decoder) }

    /// Written by ``BSONEncoder`` only.
    public func encode(to encoder: any Encoder) throws { throw refusedEncoding(self, encoder) }
}
