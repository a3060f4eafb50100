import Domain

/// A page of the blobs of a provider.
struct BlobPage: Sendable, Equatable {
    /// One blob, and where it is.
    struct Entry: Sendable, Equatable {
        /// Where it is.
        var location: StorageKey
        /// What is known of it, without a media type where the provider does not tell it in a listing.
        var facts: BlobFacts
    }

    /// The blobs.
    var entries: [Entry]
    /// Where the next page begins; `nil` when this one is the last.
    var next: PageCursor?
}
