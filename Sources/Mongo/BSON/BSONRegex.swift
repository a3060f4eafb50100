/// A regular expression as the server matches it (PCRE).
public struct BSONRegex: Hashable, Sendable {
    /// The expression, without delimiters.
    public let pattern: String
    /// Option letters in alphabetical order, such as `i` for case-insensitive.
    public let options: String

    /// An expression.
    ///
    /// The pattern is an expression: text that comes from a user must be escaped, or searched for in another way.
    ///
    /// - Throws: ``BSONError`` when either holds a NUL character, which BSON cannot carry here.
    public init(pattern: String, options: String = "") throws(BSONError) {
        guard !pattern.utf8.contains(0), !options.utf8.contains(0) else {
            throw BSONError(.embeddedNUL, "a regular expression must not hold a NUL character")
        }
        self.pattern = pattern
        self.options = String(options.sorted())
    }

    /// What a reader found, which ends at its NUL and so cannot hold one.
    init(readPattern pattern: String, options: String) {
        self.pattern = pattern
        self.options = options
    }
}
