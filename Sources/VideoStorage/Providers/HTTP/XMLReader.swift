import NIOCore

/// Reads the XML that storage services answer with: elements, text, entities, CDATA. Declarations, comments and attributes are
/// passed over; a document type is refused, since nothing good ever came of its entities.
///
/// Foundation's reader would bring ICU into every worker, most of the size of a static binary, for a page of names.
struct XMLReader {
    /// Why a document was not read.
    struct Failure: Error, Equatable {
        /// What is wrong.
        let reason: String
        /// Where, in bytes.
        let offset: Int
    }

    /// The answers have five levels at the most.
    private static let maxDepth = 32

    private let bytes: [UInt8]
    private var position = 0

    /// Reads a whole document.
    ///
    /// - Returns: Its outermost element.
    /// - Throws: ``Failure`` when it is not well formed.
    static func read(_ buffer: ByteBuffer) throws(Failure) -> XMLElement {
        var reader = XMLReader(bytes: Array(buffer.readableBytesView))
        try reader.skipAsides()
        let element = try reader.element(depth: 1)
        try reader.skipAsides()
        guard reader.position == reader.bytes.count else { throw reader.failure("something follows the document") }
        return element
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    // MARK: - Grammar

    /// White space, comments and processing instructions between elements.
    private mutating func skipAsides() throws(Failure) {
        while position < bytes.count {
            if Self.isSpace(bytes[position]) {
                position += 1
            } else if take("<?") {
                try skip(past: "?>")
            } else if take("<!--") {
                try skip(past: "-->")
            } else {
                return
            }
        }
    }

    private mutating func element(depth: Int) throws(Failure) -> XMLElement {
        guard depth <= Self.maxDepth else { throw failure("it is nested too deeply") }
        guard take("<") else { throw failure("an element is missing") }
        var element = XMLElement(name: try name())
        guard try skipAttributes() else { return element }
        var text: [UInt8] = []
        while true {
            guard position < bytes.count else { throw failure("\(element.name) has no end") }
            if take("</") {
                guard try name() == element.name else { throw failure("\(element.name) ends as something else") }
                skipSpace()
                guard take(">") else { throw failure("an end tag has no end") }
                guard let whole = String(validating: text, as: UTF8.self) else { throw failure("text is not UTF-8") }
                element.text = whole
                return element
            } else if take("<![CDATA[") {
                let start = position
                try skip(past: "]]>")
                text += bytes[start..<(position - 3)]
            } else if take("<!--") {
                try skip(past: "-->")
            } else if take("<?") {
                try skip(past: "?>")
            } else if bytes[position] == UInt8(ascii: "<") {
                element.children.append(try self.element(depth: depth + 1))
            } else if take("&") {
                text += try entity()
            } else {
                text.append(bytes[position])
                position += 1
            }
        }
    }

    private mutating func name() throws(Failure) -> String {
        let start = position
        while position < bytes.count, Self.isName(bytes[position]) { position += 1 }
        guard position > start, let name = String(validating: bytes[start..<position], as: UTF8.self) else {
            throw failure("a name is missing")
        }
        return name.split(separator: ":").last.map(String.init) ?? name
    }

    /// Goes to the end of a start tag.
    ///
    /// - Returns: Whether something may follow in the element; `false` for `<a/>`.
    private mutating func skipAttributes() throws(Failure) -> Bool {
        while position < bytes.count {
            if take(">") { return true }
            if take("/>") { return false }
            if take("\"") {
                try skip(past: "\"")
            } else if take("'") {
                try skip(past: "'")
            } else if bytes[position] == UInt8(ascii: "<") {
                break
            } else {
                position += 1
            }
        }
        throw failure("a tag has no end")
    }

    private mutating func entity() throws(Failure) -> [UInt8] {
        let start = position
        guard let end = bytes[start...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else {
            throw failure("an entity has no end")
        }
        let name = String(decoding: bytes[start..<end], as: UTF8.self)
        position = end + 1
        switch name {
        case "lt": return [UInt8(ascii: "<")]
        case "gt": return [UInt8(ascii: ">")]
        case "amp": return [UInt8(ascii: "&")]
        case "quot": return [UInt8(ascii: "\"")]
        case "apos": return [UInt8(ascii: "'")]
        default:
            let number =
                name.hasPrefix("#x")
                ? UInt32(name.dropFirst(2), radix: 16)
                : name.hasPrefix("#") ? UInt32(name.dropFirst(1)) : nil
            guard let number, let scalar = Unicode.Scalar(number) else { throw failure("an entity is not known") }
            return Array(String(scalar).utf8)
        }
    }

    // MARK: - Bytes

    private mutating func take(_ text: StaticString) -> Bool {
        let matches = text.withUTF8Buffer { bytes[position...].starts(with: $0) }
        if matches { position += text.utf8CodeUnitCount }
        return matches
    }

    private mutating func skip(past text: StaticString) throws(Failure) {
        while position < bytes.count {
            if take(text) { return }
            position += 1
        }
        throw failure("it breaks off")
    }

    private mutating func skipSpace() {
        while position < bytes.count, Self.isSpace(bytes[position]) { position += 1 }
    }

    private func failure(_ reason: String) -> Failure {
        Failure(reason: reason, offset: position)
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte)
    }

    private static func isName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
            UInt8(ascii: ":"), 0x80...:
            true
        default: false
        }
    }
}
