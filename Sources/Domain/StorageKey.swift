/// The name under which a provider holds an object's bytes: what a record calls `videoPath`.
///
/// A key is a relative path with `/` between its parts. That it can never lead out of a provider's root is decided
/// here, once, so that no provider can forget: no empty part, no `.` or `..`, no leading `/`, no backslash, no control
/// character. Everything else that is valid Unicode is allowed, spaces, `%`, `+` and `?` included.
public struct StorageKey: Sendable, Hashable, CustomStringConvertible {
    /// S3 and Azure Blob both stop at 1,024.
    public static let maxBytes = 1_024

    /// The key as it was given.
    public let description: String

    /// Checks a key.
    ///
    /// - Throws: ``ServiceError/Code/invalidArgument`` that says what is wrong with it.
    public init(_ text: String) throws(ServiceError) {
        if let fault = Self.fault(in: text) {
            throw ServiceError(.invalidArgument, "videoPath is refused: \(fault).")
        }
        description = text
    }

    /// The parts between the slashes; at least one, none of them empty.
    public var parts: [Substring] { Self.parts(of: description) }

    /// Splits at the byte `/`, as a file system does. Splitting at the character would miss a slash that a combining mark
    /// follows: to Swift the two are one character, to the kernel they are not.
    private static func parts(of text: String) -> [Substring] {
        text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { Substring($0) }
    }

    /// Keys are equal when their bytes are. Two Unicode spellings of one name are two keys, because to a provider they
    /// are two names; `String` would take them for one.
    public static func == (left: StorageKey, right: StorageKey) -> Bool {
        left.description.utf8.elementsEqual(right.description.utf8)
    }

    /// Hashes the bytes.
    public func hash(into hasher: inout Hasher) {
        var text = description
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        hasher.combine(UInt8(0xFF))
    }

    private static func fault(in text: String) -> String? {
        if text.isEmpty { return "it is empty" }
        if text.utf8.count > maxBytes { return "it is longer than \(maxBytes) bytes" }
        if text.utf8.first == UInt8(ascii: "/") { return "it is an absolute path" }
        for byte in text.utf8 {
            if byte == 0 { return "it holds a NUL" }
            if byte < 0x20 || byte == 0x7F { return "it holds a control character" }
            if byte == UInt8(ascii: "\\") { return "it holds a backslash" }
        }
        for part in parts(of: text) {
            if part.isEmpty { return "it has an empty part" }
            if part == "." || part == ".." { return "it has a part \"\(part)\"" }
        }
        return nil
    }
}
