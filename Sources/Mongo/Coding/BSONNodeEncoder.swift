/// The `Encoder` that a value sees, and at the same time the container for a single value.
struct BSONNodeEncoder: Encoder, SingleValueEncodingContainer {
    let node: BSONEncodingNode
    let codingPath: [any CodingKey]

    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        node.becomeFields()
        return KeyedEncodingContainer(BSONKeyedEncodingContainer(node: node, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        node.becomeElements()
        return BSONUnkeyedEncodingContainer(node: node, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }

    // MARK: - Values

    /// Encodes any value into a node: native types directly, others through their conformance.
    func encodeValue<Value: Encodable>(_ value: Value, into node: BSONEncodingNode) throws {
        if let native = BSONNativeTypes.box(value) {
            node.set(native)
            return
        }
        guard codingPath.count < BSONDocument.maxDepth else {
            let cause = BSONError(.tooDeep, "value is nested more than \(BSONDocument.maxDepth) levels deep")
            throw EncodingError.invalidValue(
                value,
                EncodingError.Context(codingPath: codingPath, debugDescription: cause.message, underlyingError: cause))
        }
        try value.encode(to: BSONNodeEncoder(node: node, codingPath: codingPath))
    }

    func encodeInteger(_ value: some FixedWidthInteger) throws -> BSON {
        guard let number = Int64(exactly: value) else {
            throw EncodingError.invalidValue(
                value,
                EncodingError.Context(
                    codingPath: codingPath, debugDescription: "\(value) is larger than an int64 can hold"))
        }
        return .int64(number)
    }

    func encodeNil() throws { node.set(.null) }
    func encode(_ value: Bool) throws { node.set(.bool(value)) }
    func encode(_ value: String) throws { node.set(.string(value)) }
    func encode(_ value: Double) throws { node.set(.double(value)) }
    func encode(_ value: Float) throws { node.set(.double(Double(value))) }
    func encode(_ value: Int) throws { node.set(.int64(Int64(value))) }
    func encode(_ value: Int8) throws { node.set(.int32(Int32(value))) }
    func encode(_ value: Int16) throws { node.set(.int32(Int32(value))) }
    func encode(_ value: Int32) throws { node.set(.int32(value)) }
    func encode(_ value: Int64) throws { node.set(.int64(value)) }
    func encode(_ value: UInt) throws { node.set(try encodeInteger(value)) }
    func encode(_ value: UInt8) throws { node.set(.int32(Int32(value))) }
    func encode(_ value: UInt16) throws { node.set(.int32(Int32(value))) }
    func encode(_ value: UInt32) throws { node.set(.int64(Int64(value))) }
    func encode(_ value: UInt64) throws { node.set(try encodeInteger(value)) }
    func encode(_ value: some Encodable) throws { try encodeValue(value, into: node) }
}
