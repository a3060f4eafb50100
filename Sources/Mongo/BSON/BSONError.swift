/// Why bytes are not a BSON document, or a value cannot be written as one.
///
/// This is about the encoding itself. A well-formed document that does not fit a Swift type is a `DecodingError`.
public struct BSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, for programs.
    public enum Kind: Hashable, Sendable {
        /// A length reaches outside what contains it, or the bytes end too early.
        case truncated
        /// A length, type byte, terminator or other field has a value that the specification does not allow.
        case invalid
        /// Text is not UTF-8.
        case invalidUTF8
        /// Nested more deeply than ``BSONDocument/maxDepth``.
        case tooDeep
        /// More bytes than ``BSONDocument/maxBytes``.
        case tooLarge
        /// A key or a regular expression holds a NUL character, which would end it early on the wire.
        case embeddedNUL
    }

    /// What is wrong.
    public let kind: Kind
    /// What is wrong, for humans.
    public let message: String
    /// Where in the bytes, counted from the start of the outermost document; nil when nothing was being read.
    public let offset: Int?

    init(_ kind: Kind, _ message: String, at offset: Int? = nil) {
        self.kind = kind
        self.message = message
        self.offset = offset
    }

    /// The message with the offset.
    public var description: String {
        offset.map { "\(message) (at byte \($0))" } ?? message
    }
}
