/// Walks the elements of one document inside a byte array, checking every length before it is used.
struct BSONReader: Sendable {
    private let bytes: [UInt8]
    private var position: Int
    /// Where the terminating zero of this document stands.
    private let end: Int

    /// Reads the document that fills `range`.
    ///
    /// - Throws: ``BSONError`` when the frame (length and terminator) does not match the range.
    init(_ bytes: [UInt8], in range: Range<Int>) throws(BSONError) {
        guard range.count >= 5, range.lowerBound >= 0, range.upperBound <= bytes.count else {
            throw BSONError(.truncated, "a document has at least 5 bytes", at: range.lowerBound)
        }
        let length = Int(Self.loadInt32(bytes, range.lowerBound))
        guard length == range.count else {
            throw BSONError(
                length > range.count ? .truncated : .invalid,
                "document says it has \(length) bytes and has \(range.count)", at: range.lowerBound)
        }
        guard bytes[range.upperBound - 1] == 0 else {
            throw BSONError(.invalid, "document does not end with a zero byte", at: range.upperBound - 1)
        }
        self.bytes = bytes
        position = range.lowerBound + 4
        end = range.upperBound - 1
    }

    /// Reads bytes that have been checked before.
    init(wellFormed bytes: [UInt8]) {
        self.bytes = bytes
        position = 4
        end = bytes.count - 1
    }

    /// Checks a whole document: lengths, types, terminators, text, and nesting.
    static func validate(_ bytes: [UInt8]) throws(BSONError) {
        guard bytes.count <= BSONDocument.maxBytes else {
            throw BSONError(.tooLarge, "document has \(bytes.count) bytes; the limit is \(BSONDocument.maxBytes)")
        }
        try validate(bytes, in: 0..<bytes.count, depth: 1)
    }

    private static func validate(_ bytes: [UInt8], in range: Range<Int>, depth: Int) throws(BSONError) {
        guard depth <= BSONDocument.maxDepth else {
            throw BSONError(
                .tooDeep, "document is nested more than \(BSONDocument.maxDepth) levels deep", at: range.lowerBound)
        }
        var reader = try BSONReader(bytes, in: range)
        while let element = try reader.nextElement() {
            switch element.type {
            case .document, .array:
                try validate(bytes, in: element.value, depth: depth + 1)
            case .javascriptWithScope:
                let (code, scope) = try reader.codeAndScope(element.value)
                _ = try reader.string(at: code)
                try validate(bytes, in: scope, depth: depth + 1)
            case .string, .javascript, .symbol, .dbPointer, .regex, .bool:
                _ = try reader.value(of: element)
            default:
                break
            }
        }
    }

    /// The next element with the extent of its value, or nil at the end of the document.
    mutating func nextElement() throws(BSONError) -> BSONElement? {
        guard position < end else { return nil }
        guard let type = BSONType(rawValue: bytes[position]) else {
            throw BSONError(.invalid, "unknown element type \(bytes[position])", at: position)
        }
        let (name, start) = try cString(at: position + 1)
        let length = try valueLength(of: type, at: start)
        guard length <= end - start else {
            throw BSONError(.truncated, "the value of \(name) reaches past the end of its document", at: start)
        }
        position = start + length
        return BSONElement(name: name, type: type, value: start..<position)
    }

    /// The value of an element that this reader gave.
    func value(of element: BSONElement) throws(BSONError) -> BSON {
        let start = element.value.lowerBound
        switch element.type {
        case .double: return .double(Double(bitPattern: UInt64(bitPattern: int64(at: start))))
        case .string: return .string(try string(at: start))
        case .document: return .document(BSONDocument(wellFormed: Array(bytes[element.value])))
        case .array: return .array(try array(in: element.value))
        case .binary:
            return .binary(BSONBinary(Array(bytes[(start + 5)..<element.value.upperBound]), subtype: bytes[start + 4]))
        case .objectID: return .objectID(try objectID(at: start))
        case .bool: return .bool(try bool(at: start))
        case .date: return .date(BSONDate.date(milliseconds: int64(at: start)))
        case .null: return .null
        case .regex:
            let (pattern, next) = try cString(at: start)
            return .regex(BSONRegex(readPattern: pattern, options: try cString(at: next).text))
        case .int32: return .int32(Self.loadInt32(bytes, start))
        case .timestamp:
            let value = UInt64(bitPattern: int64(at: start))
            return .timestamp(BSONTimestamp(seconds: UInt32(value >> 32), increment: UInt32(truncatingIfNeeded: value)))
        case .int64: return .int64(int64(at: start))
        case .decimal128:
            return .decimal128(
                BSONDecimal128(
                    low: UInt64(bitPattern: int64(at: start)), high: UInt64(bitPattern: int64(at: start + 8))))
        case .minKey: return .minKey
        case .maxKey: return .maxKey
        case .undefined: return .undefined
        case .javascript: return .javascript(try string(at: start))
        case .symbol: return .symbol(try string(at: start))
        case .javascriptWithScope:
            let (code, scope) = try codeAndScope(element.value)
            return .javascriptWithScope(try string(at: code), BSONDocument(wellFormed: Array(bytes[scope])))
        case .dbPointer:
            return .dbPointer(try string(at: start), try objectID(at: element.value.upperBound - 12))
        }
    }

    private func array(in range: Range<Int>) throws(BSONError) -> [BSON] {
        var reader = try BSONReader(bytes, in: range)
        var values: [BSON] = []
        while let element = try reader.nextElement() {
            values.append(try reader.value(of: element))
        }
        return values
    }

    // MARK: - Extents

    private func valueLength(of type: BSONType, at start: Int) throws(BSONError) -> Int {
        switch type {
        case .undefined, .null, .minKey, .maxKey: return 0
        case .bool: return 1
        case .int32: return 4
        case .double, .date, .timestamp, .int64: return 8
        case .objectID: return 12
        case .decimal128: return 16
        case .string, .javascript, .symbol: return 4 + (try length(at: start, atLeast: 1))
        case .dbPointer: return 4 + (try length(at: start, atLeast: 1)) + 12
        case .document, .array: return try length(at: start, atLeast: 5)
        case .binary: return 5 + (try length(at: start, atLeast: 0))
        case .javascriptWithScope: return try length(at: start, atLeast: 14)
        case .regex:
            let (_, options) = try cString(at: start)
            return try cString(at: options).next - start
        }
    }

    private func length(at start: Int, atLeast minimum: Int) throws(BSONError) -> Int {
        guard end - start >= 4 else {
            throw BSONError(.truncated, "a length reaches past the end of its document", at: start)
        }
        let length = Int(Self.loadInt32(bytes, start))
        guard length >= minimum else {
            throw BSONError(.invalid, "a length is \(length) and must be at least \(minimum)", at: start)
        }
        return length
    }

    /// Where the code string starts, and the extent of the scope document.
    private func codeAndScope(_ range: Range<Int>) throws(BSONError) -> (code: Int, scope: Range<Int>) {
        let code = range.lowerBound + 4
        let codeLength = Int(Self.loadInt32(bytes, code))
        guard codeLength >= 1, codeLength <= range.upperBound - (code + 4) - 5 else {
            throw BSONError(.invalid, "the code of a JavaScript value reaches past its end", at: code)
        }
        return (code, (code + 4 + codeLength)..<range.upperBound)
    }

    // MARK: - Values, whose extents have been checked

    private func string(at start: Int) throws(BSONError) -> String {
        let textEnd = start + 4 + Int(Self.loadInt32(bytes, start)) - 1
        guard bytes[textEnd] == 0 else {
            throw BSONError(.invalid, "text does not end with a zero byte", at: textEnd)
        }
        return try text(in: (start + 4)..<textEnd)
    }

    /// The text up to the next zero byte, and the position after that.
    private func cString(at start: Int) throws(BSONError) -> (text: String, next: Int) {
        guard start < end, let zero = bytes[start..<end].firstIndex(of: 0) else {
            throw BSONError(.truncated, "a name does not end inside its document", at: start)
        }
        let name = try text(in: start..<zero)
        return (name, zero + 1)
    }

    private func text(in range: Range<Int>) throws(BSONError) -> String {
        let text = bytes.withUnsafeBufferPointer { buffer in
            String(validating: UnsafeBufferPointer(rebasing: buffer[range]), as: UTF8.self)
        }
        guard let text else {
            throw BSONError(.invalidUTF8, "text is not UTF-8", at: range.lowerBound)
        }
        return text
    }

    private func bool(at start: Int) throws(BSONError) -> Bool {
        guard bytes[start] <= 1 else {
            throw BSONError(.invalid, "a bool is \(bytes[start]) and must be 0 or 1", at: start)
        }
        return bytes[start] == 1
    }

    private func objectID(at start: Int) throws(BSONError) -> ObjectID {
        guard let value = ObjectID(bytes: bytes[start..<(start + 12)]) else {
            throw BSONError(.truncated, "an ObjectID has 12 bytes", at: start)
        }
        return value
    }

    private func int64(at start: Int) -> Int64 {
        Int64(littleEndian: bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: start, as: Int64.self) })
    }

    private static func loadInt32(_ bytes: [UInt8], _ start: Int) -> Int32 {
        Int32(littleEndian: bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: start, as: Int32.self) })
    }
}
