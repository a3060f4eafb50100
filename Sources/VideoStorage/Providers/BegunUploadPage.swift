import Domain

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A page of the uploads of a provider that are not over.
struct BegunUploadPage: Sendable, Equatable {
    /// One upload.
    struct Entry: Sendable, Equatable {
        /// Where its blob would be.
        var location: StorageKey
        /// What the provider calls it.
        var handle: UploadHandle
        /// When it was begun, or, where the provider keeps only that, when a block was staged last. Old means abandoned.
        var activeAt: Date
    }

    /// The uploads.
    var entries: [Entry]
    /// Where the next page begins; `nil` when this one is the last.
    var next: PageCursor?
}
