/// Decodes named fields. Fields that are not asked for are not looked at.
struct BSONKeyedDecodingContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    private let reader: BSONReader
    private let elements: [String: BSONElement]
    let codingPath: [any CodingKey]

    init(_ document: BSONDocument, codingPath: [any CodingKey]) throws {
        var reader = BSONReader(wellFormed: document.bytes)
        var elements: [String: BSONElement] = [:]
        while let element = try reader.nextElement() {
            // Of fields with the same name the first counts, as in BSONDocument.
            if elements[element.name] == nil { elements[element.name] = element }
        }
        self.reader = reader
        self.elements = elements
        self.codingPath = codingPath
    }

    var allKeys: [Key] {
        elements.values.sorted { $0.value.lowerBound < $1.value.lowerBound }.compactMap { Key(stringValue: $0.name) }
    }

    func contains(_ key: Key) -> Bool { elements[key.stringValue] != nil }

    private func field(_ key: any CodingKey) throws -> BSONValueDecoder {
        guard let element = elements[key.stringValue] else {
            throw DecodingError.keyNotFound(
                key,
                DecodingError.Context(
                    codingPath: codingPath, debugDescription: "field \(fieldPath(codingPath + [key])) is missing"))
        }
        return BSONValueDecoder(value: try reader.value(of: element), codingPath: codingPath + [key])
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try field(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try field(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { try field(BSONCodingKey.super) }
    func superDecoder(forKey key: Key) throws -> any Decoder { try field(key) }

    func decodeNil(forKey key: Key) throws -> Bool { try field(key).decodeNil() }
    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try field(key).decode(type) }
    func decode(_ type: String.Type, forKey key: Key) throws -> String { try field(key).decode(type) }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try field(key).decode(type) }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float { try field(key).decode(type) }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try field(key).decode(type) }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try field(key).decode(type) }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try field(key).decode(type) }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try field(key).decode(type) }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try field(key).decode(type) }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try field(key).decode(type) }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try field(key).decode(type) }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try field(key).decode(type) }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try field(key).decode(type) }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try field(key).decode(type) }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try field(key).decode(type)
    }
}
