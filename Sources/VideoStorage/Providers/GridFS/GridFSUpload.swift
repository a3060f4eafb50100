import Mongo

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A document of the collection `blobs.uploads`: an upload that is open, or chunks that are of no more use.
///
/// From `open` it becomes either `committed`, and is then removed, or `aborted`, by one update each that compares the state.
/// So commit and abort can never both succeed, whoever makes them and in whatever order.
struct GridFSUpload: Codable, Sendable {
    /// How far it is.
    enum State: String, Codable, Sendable {
        /// Takes blocks.
        case open
        /// Is a blob.
        case committed
        /// Was given up, or was a blob that is removed: its chunks go.
        case aborted
    }

    /// The fields, under their names in the database.
    enum CodingKeys: String, CodingKey {
        case id = "_id"
        case location
        case state
        case startedAt
        case clearedAt
    }

    /// The collection.
    static let collection = "blobs.uploads"
    /// How long an aborted upload is remembered when its chunks are gone: longer than any commit can be under way.
    static let memorySeconds: Int32 = 86_400

    /// The `files_id` of its chunks.
    var id: ObjectID
    /// Where the blob would be.
    var location: String
    /// How far it is.
    var state: State
    /// When it was begun, or the blob removed.
    var startedAt: Date
    /// When its chunks were removed; the database removes the document later.
    var clearedAt: Date?
}
