import Domain

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a provider knows of a blob without reading its bytes.
struct BlobFacts: Sendable, Equatable {
    /// Bytes in all; may be 0.
    var size: Int64
    /// The state that these facts describe.
    var validator: BlobValidator
    /// When the blob came to be in this state, as finely as the provider keeps it.
    var modifiedAt: Date
    /// The media type, where the provider keeps one.
    var contentType: String?
}
