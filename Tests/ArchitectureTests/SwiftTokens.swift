/// Swift source cut into words, with comments and the text of string literals left out, so that what is found is code.
struct SwiftTokens {
    /// One word, sign or line end, in the order of the file.
    private(set) var tokens: [String] = []

    private let bytes: [UInt8]
    private var position = 0

    init(_ source: String) {
        bytes = Array(source.utf8)
        while position < bytes.count { readToken() }
    }

    private func starts(with text: String) -> Bool {
        bytes[position...].starts(with: text.utf8)
    }

    private func byte(is character: Unicode.Scalar) -> Bool {
        position < bytes.count && bytes[position] == UInt8(ascii: character)
    }

    private mutating func readToken() {
        if byte(is: "/"), starts(with: "//") {
            while position < bytes.count, !byte(is: "\n") { position += 1 }
        } else if byte(is: "/"), starts(with: "/*") {
            skipBlockComment()
        } else if byte(is: "\"") {
            skipString(hashes: 0)
        } else if byte(is: "#") {
            readHash()
        } else if isWordPart(bytes[position]) {
            tokens.append(readWord())
        } else {
            if ![UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r")].contains(bytes[position]) {
                tokens.append(String(Unicode.Scalar(bytes[position])))
            }
            position += 1
        }
    }

    private func isWordPart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...0xFF:
            true
        default:
            false
        }
    }

    private mutating func readWord() -> String {
        let start = position
        while position < bytes.count, isWordPart(bytes[position]) { position += 1 }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    /// A directive such as `#if`, or the signs before a raw string.
    private mutating func readHash() {
        let start = position
        while byte(is: "#") { position += 1 }
        if byte(is: "\"") {
            skipString(hashes: position - start)
        } else {
            tokens.append("#" + readWord())
        }
    }

    private mutating func skipBlockComment() {
        var depth = 0
        while position < bytes.count {
            if starts(with: "/*") {
                (depth, position) = (depth + 1, position + 2)
            } else if starts(with: "*/") {
                (depth, position) = (depth - 1, position + 2)
                if depth == 0 { return }
            } else {
                position += 1
            }
        }
    }

    private mutating func skipString(hashes: Int) {
        let quote = starts(with: "\"\"\"") ? "\"\"\"" : "\""
        let fence = String(repeating: "#", count: hashes)
        position += quote.count
        while position < bytes.count {
            if starts(with: quote + fence) {
                position += quote.count + hashes
                return
            } else if starts(with: "\\" + fence + "(") {
                position += 2 + hashes
                skipInterpolation()
            } else if starts(with: "\\" + fence) {
                position += 2 + hashes
            } else if byte(is: "\n"), quote == "\"" {
                return  // not a string after all, such as a quote in a regular expression
            } else {
                position += 1
            }
        }
    }

    /// Code inside a string: it cannot hold an import, but it can hold another string.
    private mutating func skipInterpolation() {
        var depth = 1
        while position < bytes.count, depth > 0 {
            if byte(is: "\"") {
                skipString(hashes: 0)
                continue
            }
            if byte(is: "(") { depth += 1 }
            if byte(is: ")") { depth -= 1 }
            position += 1
        }
    }
}
