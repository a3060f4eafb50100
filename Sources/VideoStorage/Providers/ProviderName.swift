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
    /// Documents in the storage service's own MongoDB.
    static let gridfs = ProviderName("gridfs")
    /// S3, and services that speak as it does.
    static let s3 = ProviderName("s3")
    /// Azure Blob Storage.
    static let azure = ProviderName("azure")
}
