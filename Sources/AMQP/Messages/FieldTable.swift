/// A value in a field table, as RabbitMQ understands AMQP 0-9-1's types (its page "Protocol errata").
public enum FieldValue: Sendable, Equatable {
    /// `t`
    case bool(Bool)
    /// `b`, `B`, `s`, `u`, `I`, `i`, `l`, written as `l` (64 bits).
    case int(Int64)
    /// `f`, `d`, written as `d`.
    case double(Double)
    /// `S` that is valid UTF-8.
    case string(String)
    /// `x`, and `S` that is not valid UTF-8.
    case bytes([UInt8])
    /// `T`: seconds since 1970.
    case timestamp(UInt64)
    /// `F`
    case table(FieldTable)
    /// `A`
    case array([FieldValue])
    /// `V`, and what this client does not understand.
    case null
}

/// Named values: the headers of a message, or the arguments of a declaration. Keeps their order.
///
/// Tables are short, so a look-up is a walk through an array; a repeated name is found at its first place.
public struct FieldTable: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    /// A name with its value.
    public struct Entry: Sendable, Equatable {
        /// At most 128 bytes of UTF-8, as AMQP says.
        public var name: String
        /// The value.
        public var value: FieldValue

        /// Makes an entry.
        public init(_ name: String, _ value: FieldValue) {
            self.name = name
            self.value = value
        }
    }

    /// The entries in their order.
    public var entries: [Entry]

    /// An empty table.
    public init() {
        entries = []
    }

    /// A table of known entries.
    public init(_ entries: [Entry]) {
        self.entries = entries
    }

    /// A table as a literal.
    public init(dictionaryLiteral elements: (String, FieldValue)...) {
        entries = elements.map { Entry($0.0, $0.1) }
    }

    /// The value of a name. Setting `nil` removes it.
    public subscript(name: String) -> FieldValue? {
        get { entries.first { $0.name == name }?.value }
        set {
            let place = entries.firstIndex { $0.name == name }
            switch (place, newValue) {
            case (let place?, let value?): entries[place].value = value
            case (let place?, nil): entries.remove(at: place)
            case (nil, let value?): entries.append(Entry(name, value))
            case (nil, nil): break
            }
        }
    }

    /// The text of a name, when it is there and is text.
    public func string(_ name: String) -> String? {
        guard case .string(let text) = self[name] else { return nil }
        return text
    }

    /// The number of a name, when it is there and is a whole number.
    public func int(_ name: String) -> Int64? {
        guard case .int(let number) = self[name] else { return nil }
        return number
    }
}
