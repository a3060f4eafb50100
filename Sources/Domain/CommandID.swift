/// Names one command, chosen by whoever gives it: what is given again under the same id is done once, and answered as the
/// first time.
public struct CommandID: Sendable, Hashable, CustomStringConvertible {
    /// 1 to 64 letters, digits, `-`, `_` or `.`.
    public let description: String

    /// Reads an id; `nil` when the text is not of that form.
    public init?(_ text: String) {
        guard (1...64).contains(text.utf8.count), ObjectVersion(text) != nil else { return nil }
        description = text
    }

    /// A new id, 128 random bits.
    public static func random() -> CommandID {
        CommandID(upload: UploadID.random())
    }

    private init(upload: UploadID) {
        description = upload.description
    }
}
