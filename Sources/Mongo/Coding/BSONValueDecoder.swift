/// The `Decoder` that a type sees, and at the same time the container for a single value.
struct BSONValueDecoder: Decoder, SingleValueDecodingContainer {
    let value: BSON
    let codingPath: [any CodingKey]

    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .document(let document) = value else { throw mismatch([String: BSON].self, expected: "document") }
        return KeyedDecodingContainer(try BSONKeyedDecodingContainer(document, codingPath: codingPath))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .array(let values) = value else { throw mismatch([BSON].self, expected: "array") }
        return BSONUnkeyedDecodingContainer(values, codingPath: codingPath)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { self }

    // MARK: - Values

    func decodeNil() -> Bool {
        if case .null = value { true } else { false }
    }

    func decode(_ type: Bool.Type) throws -> Bool {
        guard case .bool(let flag) = value else { throw mismatch(type, expected: "bool") }
        return flag
    }

    func decode(_ type: String.Type) throws -> String {
        switch value {
        case .string(let text), .symbol(let text): return text
        default: throw mismatch(type, expected: "string")
        }
    }

    func decode(_ type: Double.Type) throws -> Double {
        switch value {
        case .double(let number): return number
        case .int32(let number): return Double(number)
        case .int64(let number):
            guard let exact = Double(exactly: number) else { throw outOfRange(type) }
            return exact
        default: throw mismatch(type, expected: "number")
        }
    }

    func decode(_ type: Float.Type) throws -> Float { Float(try decode(Double.self)) }
    func decode(_ type: Int.Type) throws -> Int { try integer() }
    func decode(_ type: Int8.Type) throws -> Int8 { try integer() }
    func decode(_ type: Int16.Type) throws -> Int16 { try integer() }
    func decode(_ type: Int32.Type) throws -> Int32 { try integer() }
    func decode(_ type: Int64.Type) throws -> Int64 { try integer() }
    func decode(_ type: UInt.Type) throws -> UInt { try integer() }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try integer() }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try integer() }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try integer() }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try integer() }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        guard let expected = BSONNativeTypes.bsonName(of: type) else { return try Value(from: self) }
        guard let native = BSONNativeTypes.unbox(value, as: type) else { throw mismatch(type, expected: expected) }
        return native
    }

    /// A whole number of any of the numeric types, when it fits: other programs write what they like (a database shell
    /// writes doubles).
    private func integer<Value: FixedWidthInteger>() throws -> Value {
        switch value {
        case .int32(let number):
            guard let exact = Value(exactly: number) else { throw outOfRange(Value.self) }
            return exact
        case .int64(let number):
            guard let exact = Value(exactly: number) else { throw outOfRange(Value.self) }
            return exact
        case .double(let number):
            guard let exact = Value(exactly: number) else { throw outOfRange(Value.self) }
            return exact
        default:
            throw mismatch(Value.self, expected: "integer")
        }
    }

    // MARK: - Errors

    /// How messages call the value at hand.
    private var place: String { codingPath.isEmpty ? "the document" : "field \(fieldPath(codingPath))" }

    private func mismatch<Value>(_ type: Value.Type, expected: String) -> DecodingError {
        let context = DecodingError.Context(
            codingPath: codingPath, debugDescription: "\(place): expected \(expected), found \(value.typeName)")
        return decodeNil() ? .valueNotFound(type, context) : .typeMismatch(type, context)
    }

    private func outOfRange<Value>(_ type: Value.Type) -> DecodingError {
        .dataCorrupted(
            DecodingError.Context(
                codingPath: codingPath,
                debugDescription: "\(place): the \(value.typeName) there is not a number that \(type) can hold"))
    }
}
