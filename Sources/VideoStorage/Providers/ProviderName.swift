/// Names a provider, in the configuration and in the catalogue.
struct ProviderName: Sendable, Hashable, CustomStringConvertible {
    /// The name as it is stored.
    let description: String

    /// Takes a name as it is stored; whether a provider of that name is configured is for the caller to see.
    init(_ text: String) {
        description = text
    }

    /// Files in a directory.
    static let filesystem = ProviderName("filesystem")
}
