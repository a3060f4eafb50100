/// What a provider calls an upload that was begun: S3's upload id, and nothing at all where the location says enough.
struct UploadHandle: Sendable, Hashable, CustomStringConvertible {
    /// The name: at most ``ProviderLimits/maxHandleBytes`` printable ASCII characters, perhaps none.
    let description: String

    /// Takes a name as a provider gave it.
    init(_ text: String) {
        description = text
    }

    /// The handle of a provider that tells uploads apart by their locations alone.
    static let none = UploadHandle("")
}
