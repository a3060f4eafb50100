import Domain

/// A provider's own mark for one state of a blob: what an entity tag is to HTTP. It is opaque to everyone else.
///
/// It has the form of an `ObjectVersion` with room for a prefix, so that the version of an adopted object can be
/// made from it. A provider whose marks have other characters encodes them.
struct BlobValidator: Sendable, Hashable, CustomStringConvertible {
    /// Leaves 32 of the 128 bytes of a version to what is put before the validator.
    static let maxBytes = 96

    /// 1 to ``maxBytes`` letters, digits, `-`, `_` or `.`.
    let description: String

    /// Reads a validator; `nil` when the text is not of that form.
    init?(_ text: String) {
        guard text.utf8.count <= Self.maxBytes, ObjectVersion(text) != nil else { return nil }
        description = text
    }

    /// Puts three numbers together, in base 36 to keep it short: 41 characters at the most.
    init(_ first: UInt64, _ second: UInt64, _ third: UInt64) {
        description = [first, second, third].map { String($0, radix: 36) }.joined(separator: "-")
    }
}
