/// An ordered list of named values, held as its BSON bytes.
///
/// The bytes are well formed: every initialiser checks or builds them. Names may repeat on the wire; looking one up gives
/// the first. Looking up is linear in the number of fields, which is right for the handful that a document has.
public struct BSONDocument: Hashable, Sendable {
    /// The most bytes that a stored document may have: the server's limit of 16 MiB.
    public static let maxStoredBytes = 16 * 1024 * 1024

    /// The most bytes that any document may have: a stored one with the 16 KiB that the server adds for a command or reply
    /// around it. Literals may have more, and are refused when they are sent.
    public static let maxBytes = maxStoredBytes + 16 * 1024

    /// The deepest nesting that is read or built: the server's own limit. (It stores no more than 100 levels by default.)
    public static let maxDepth = 200

    /// The encoding, from the length to the final zero byte.
    public private(set) var bytes: [UInt8]

    /// A document without fields.
    public init() {
        bytes = [5, 0, 0, 0, 0]
    }

    /// The document that these bytes encode, after checking all of them.
    ///
    /// - Throws: ``BSONError`` that says what is wrong and where; never anything worse, whatever the bytes.
    public init(bytes: [UInt8]) throws(BSONError) {
        try BSONReader.validate(bytes)
        self.bytes = bytes
    }

    /// The given fields in their order.
    ///
    /// - Throws: ``BSONError`` when a name holds a NUL character or the result is too large.
    public init(_ fields: some Sequence<(String, BSON)>) throws(BSONError) {
        self.init()
        for (name, value) in fields {
            try append(name, value)
        }
    }

    /// Bytes that a reader or writer of this module has just checked or built.
    init(wellFormed bytes: [UInt8]) {
        self.bytes = bytes
    }

    init(literal fields: [(String, BSON)]) {
        self.init()
        for (name, value) in fields {
            do {
                // As large as the format allows: what is too large for the server is refused when it is sent.
                try append(name, value, maxBytes: Int(Int32.max))
            } catch {
                preconditionFailure("a BSON literal cannot be written: \(error)")
            }
        }
    }

    /// Adds a field at the end. A field of the same name is not looked for.
    ///
    /// - Throws: ``BSONError`` when the name holds a NUL character, the value cannot be written, or the result is larger
    ///   than ``maxBytes``. The document is unchanged then.
    public mutating func append(_ name: String, _ value: BSON) throws(BSONError) {
        try append(name, value, maxBytes: Self.maxBytes)
    }

    private mutating func append(_ name: String, _ value: BSON, maxBytes: Int) throws(BSONError) {
        // Taken out of the property, so that the writer holds the only reference and nothing is copied.
        var taken: [UInt8] = []
        swap(&taken, &bytes)
        let start = taken.count - 1
        var writer = BSONWriter(continuing: taken, maxBytes: maxBytes)
        do {
            try writer.append(name, value)
            bytes = try writer.finished()
        } catch {
            bytes = writer.abandoned(from: start)
            throw error
        }
    }

    /// Whether there are no fields.
    public var isEmpty: Bool { bytes.count == 5 }

    /// The names in their order.
    public var names: [String] { map(\.name) }

    /// The first value of that name; nil when there is none. A null value is ``BSON/null``, not nil.
    public subscript(name: String) -> BSON? {
        var reader = BSONReader(wellFormed: bytes)
        while let element = try? reader.nextElement() {
            if element.name == name { return try? reader.value(of: element) }
        }
        return nil
    }
}

extension BSONDocument: Sequence {
    /// One field.
    public typealias Element = (name: String, value: BSON)

    /// Walks the fields in their order, reading each when it is asked for.
    public struct Iterator: IteratorProtocol {
        var reader: BSONReader

        /// The next field, nil after the last.
        public mutating func next() -> Element? {
            guard let element = try? reader.nextElement(), let value = try? reader.value(of: element) else {
                return nil
            }
            return (element.name, value)
        }
    }

    /// Walks the fields in their order.
    public func makeIterator() -> Iterator {
        Iterator(reader: BSONReader(wellFormed: bytes))
    }
}

extension BSONDocument: ExpressibleByDictionaryLiteral {
    /// The given fields in their order.
    ///
    /// For names written in the source. A name that holds a NUL character stops the process: where a name comes from
    /// outside, use ``append(_:_:)``, which throws.
    public init(dictionaryLiteral elements: (String, BSON)...) {
        self.init(literal: elements)
    }
}

extension BSONDocument: CustomStringConvertible {
    /// The number of fields and bytes. Not the contents, which must not reach a log by accident.
    public var description: String { "BSONDocument(\(names.count) fields, \(bytes.count) bytes)" }
}
