/// A name for one state of a representation (RFC 9110 section 8.8.3).
struct EntityTag: Sendable, Hashable, CustomStringConvertible {
    /// What stands between the quotes, as bytes: compared one by one, never as text.
    let opaque: [UInt8]
    /// Whether it is marked `W/`: equal in meaning only, perhaps not byte by byte.
    let isWeak: Bool

    /// A strong tag. The text must be made of characters that a tag allows, as an ``Domain/ObjectVersion`` is.
    init(strong text: String) {
        opaque = Array(text.utf8)
        isWeak = false
    }

    fileprivate init(opaque: [UInt8], isWeak: Bool) {
        self.opaque = opaque
        self.isWeak = isWeak
    }

    /// Equal, and both strong: what `If-Match` and `If-Range` ask for.
    func matchesStrongly(_ other: EntityTag) -> Bool {
        !isWeak && !other.isWeak && opaque == other.opaque
    }

    /// Equal, strong or not: what `If-None-Match` asks for.
    func matchesWeakly(_ other: EntityTag) -> Bool {
        opaque == other.opaque
    }

    /// As it stands in a header field.
    var description: String {
        "\(isWeak ? "W/" : "")\"\(String(decoding: opaque, as: UTF8.self))\""
    }
}

extension EntityTag {
    /// Reads a single tag that fills the whole text; `nil` when it is not one.
    init?(_ text: String) {
        var scanner = EntityTagScanner(text)
        scanner.skipBlanks()
        guard let tag = scanner.tag() else { return nil }
        scanner.skipBlanks()
        guard scanner.isAtEnd else { return nil }
        self = tag
    }
}

/// What `If-Match` and `If-None-Match` hold: `*`, or a list of tags.
enum EntityTagCondition: Sendable, Equatable {
    /// Any tag at all, as long as the object exists.
    case any
    /// One of these.
    case list([EntityTag])

    /// Reads a field's value. Where the text stops being a list, the tags up to there count: a broken validator must
    /// never count as a match, and one that was read before it is still true.
    init(_ text: String) {
        var scanner = EntityTagScanner(text)
        scanner.skipBlanks()
        if scanner.skip(UInt8(ascii: "*")) {
            scanner.skipBlanks()
            self = scanner.isAtEnd ? .any : .list([])
            return
        }
        var tags: [EntityTag] = []
        while !scanner.isAtEnd {
            scanner.skipBlanks()
            if scanner.skip(UInt8(ascii: ",")) { continue }
            guard let tag = scanner.tag() else { break }
            tags.append(tag)
            scanner.skipBlanks()
            guard scanner.isAtEnd || scanner.skip(UInt8(ascii: ",")) else { break }
        }
        self = .list(tags)
    }

    /// Whether the current tag is among them by strong comparison.
    func holdsStrongly(for current: EntityTag) -> Bool {
        switch self {
        case .any: true
        case .list(let tags): tags.contains { $0.matchesStrongly(current) }
        }
    }

    /// Whether the current tag is among them by weak comparison.
    func holdsWeakly(for current: EntityTag) -> Bool {
        switch self {
        case .any: true
        case .list(let tags): tags.contains { $0.matchesWeakly(current) }
        }
    }
}

private struct EntityTagScanner {
    private var rest: ArraySlice<UInt8>

    init(_ text: String) {
        rest = Array(text.utf8)[...]
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func skip(_ byte: UInt8) -> Bool {
        guard rest.first == byte else { return false }
        rest.removeFirst()
        return true
    }

    mutating func skipBlanks() {
        rest = rest.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    }

    /// `[ "W/" ] DQUOTE *etagc DQUOTE`.
    mutating func tag() -> EntityTag? {
        let isWeak = rest.starts(with: [UInt8(ascii: "W"), UInt8(ascii: "/")])
        if isWeak { rest = rest.dropFirst(2) }
        guard skip(UInt8(ascii: "\"")) else { return nil }
        let opaque = rest.prefix { $0 == 0x21 || ($0 >= 0x23 && $0 != 0x7F) }
        rest = rest.dropFirst(opaque.count)
        guard skip(UInt8(ascii: "\"")) else { return nil }
        return EntityTag(opaque: Array(opaque), isWeak: isWeak)
    }
}
