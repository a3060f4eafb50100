extension BSONDocument {
    /// A document of the `_id` field only, taken from bytes that need not be well formed after it; nil when there is none.
    ///
    /// The value's bytes are copied as they are, so that it is equal to the server's even where a Swift value would round.
    static func identifier(inUnchecked bytes: [UInt8]) -> BSONDocument? {
        guard var reader = try? BSONReader(bytes, in: 0..<bytes.count) else { return nil }
        while let element = try? reader.nextElement() {
            guard element.name == "_id" else { continue }
            return try? BSONDocument(bytes: framed(identifier(element.type, bytes[element.value])))
        }
        return nil
    }

    /// The same document with an `_id` in front.
    func withIdentifier(_ id: ObjectID) -> BSONDocument {
        BSONDocument(wellFormed: Self.framed(Self.identifier(.objectID, id.bytes) + bytes[4..<(bytes.count - 1)]))
    }

    private static func identifier(_ type: BSONType, _ value: some Collection<UInt8>) -> [UInt8] {
        [type.rawValue] + "_id\0".utf8 + value
    }

    private static func framed(_ fields: [UInt8]) -> [UInt8] {
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: fields.count + 5).littleEndian) { $0 + fields + [0] }
    }
}
