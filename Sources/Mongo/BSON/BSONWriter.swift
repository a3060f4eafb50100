/// Builds the bytes of a document.
struct BSONWriter {
    private(set) var bytes: [UInt8]
    private let maxBytes: Int

    /// A writer of a new document.
    init() {
        maxBytes = BSONDocument.maxBytes
        bytes = [0, 0, 0, 0]
    }

    /// A writer that adds to a finished document.
    init(continuing document: consuming [UInt8], maxBytes: Int = BSONDocument.maxBytes) {
        self.maxBytes = maxBytes
        bytes = document
        bytes.removeLast()
    }

    /// Ends the document.
    mutating func finished() throws(BSONError) -> [UInt8] {
        bytes.append(0)
        guard bytes.count <= maxBytes else {
            throw BSONError(.tooLarge, "document has \(bytes.count) bytes; the limit is \(maxBytes)")
        }
        patchLength(at: 0)
        return bytes
    }

    /// The finished document as it was before anything from `start` on was added.
    mutating func abandoned(from start: Int) -> [UInt8] {
        bytes.removeSubrange(start...)
        bytes.append(0)
        return bytes
    }

    /// Begins a nested document or array; hand the result to ``end(_:)``.
    mutating func begin(_ name: String, _ type: BSONType) throws(BSONError) -> Int {
        try appendHeader(name, type)
        let start = bytes.count
        bytes.append(contentsOf: [0, 0, 0, 0])
        return start
    }

    /// Ends what ``begin(_:_:)`` began.
    mutating func end(_ start: Int) throws(BSONError) {
        bytes.append(0)
        try checkSize()
        patchLength(at: start)
    }

    /// Adds one field.
    mutating func append(_ name: String, _ value: BSON) throws(BSONError) {
        if case .array(let values) = value {
            let start = try begin(name, .array)
            for (index, element) in values.enumerated() {
                try append(String(index), element)
            }
            try end(start)
            return
        }
        try appendHeader(name, value.type)
        try appendScalar(value)
        try checkSize()
    }

    private mutating func appendScalar(_ value: BSON) throws(BSONError) {
        switch value {
        case .double(let number): appendInteger(number.bitPattern)
        case .string(let text), .javascript(let text), .symbol(let text): appendString(text)
        case .document(let document): bytes.append(contentsOf: document.bytes)
        case .array, .null, .undefined, .minKey, .maxKey: break
        case .binary(let binary):
            appendInteger(Int32(clamping: binary.bytes.count))
            bytes.append(binary.subtype)
            bytes.append(contentsOf: binary.bytes)
        case .objectID(let id): bytes.append(contentsOf: id.bytes)
        case .bool(let flag): bytes.append(flag ? 1 : 0)
        case .date(let date): appendInteger(BSONDate.milliseconds(date))
        case .regex(let regex):
            try appendCString(regex.pattern)
            try appendCString(regex.options)
        case .int32(let number): appendInteger(number)
        case .timestamp(let stamp): appendInteger(UInt64(stamp.seconds) << 32 | UInt64(stamp.increment))
        case .int64(let number): appendInteger(number)
        case .decimal128(let number):
            appendInteger(number.low)
            appendInteger(number.high)
        case .javascriptWithScope(let code, let scope):
            let start = bytes.count
            bytes.append(contentsOf: [0, 0, 0, 0])
            appendString(code)
            bytes.append(contentsOf: scope.bytes)
            patchLength(at: start)
        case .dbPointer(let namespace, let id):
            appendString(namespace)
            bytes.append(contentsOf: id.bytes)
        }
    }

    private mutating func appendHeader(_ name: String, _ type: BSONType) throws(BSONError) {
        bytes.append(type.rawValue)
        try appendCString(name)
    }

    private mutating func appendCString(_ text: String) throws(BSONError) {
        guard !text.utf8.contains(0) else {
            throw BSONError(.embeddedNUL, "a name or a regular expression must not hold a NUL character")
        }
        appendText(text)
    }

    private mutating func appendString(_ text: String) {
        appendInteger(Int32(clamping: text.utf8.count + 1))
        appendText(text)
    }

    private mutating func appendText(_ text: String) {
        var text = text
        text.withUTF8 { bytes.append(contentsOf: $0) }
        bytes.append(0)
    }

    private mutating func appendInteger(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Checked as the bytes grow, so that a document that is too large is refused before it is built to the end.
    private func checkSize() throws(BSONError) {
        guard bytes.count < maxBytes else {
            throw BSONError(.tooLarge, "document has more than the \(maxBytes) bytes that are the limit")
        }
    }

    private mutating func patchLength(at start: Int) {
        let length = UInt32(truncatingIfNeeded: bytes.count - start)
        for index in 0..<4 {
            bytes[start + index] = UInt8(truncatingIfNeeded: length >> (8 * UInt32(index)))
        }
    }
}
