import Mongo

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A document of the collection `blobs.files`: one blob that is there, as the GridFS specification has it, so that other
/// tools (`mongofiles --prefix blobs`) can read what is kept here.
struct GridFSFile: Codable, Sendable {
    /// What GridFS keeps for its users.
    struct Metadata: Codable, Sendable {
        /// The media type, where it is known.
        var contentType: String?
    }

    /// The fields, under their names in the database.
    enum CodingKeys: String, CodingKey {
        case id = "_id"
        case length
        case chunkSize
        case uploadDate
        case filename
        case metadata
    }

    /// The collection.
    static let collection = "blobs.files"
    /// 1 MiB less 1 KiB: what viewers read is one document or four, and an answer of four stays below 4 MiB. mongod and libmongoc
    /// gather it in memory that doubles when it is full: with 1 MiB a stream had 267 MB/s, with this 314; with 256 KiB, 268.
    static let chunkBytes = 1_047_552
    /// The largest chunks of other programs that are read: 16 MiB, which no document can have.
    static let maxChunkBytes = 16_777_216

    /// Which chunks are the blob's: their `files_id`. The provider's handle and validator are made of it.
    var id: ObjectID
    /// Bytes in all.
    var length: Int64
    /// The size in bytes of each chunk but the last.
    var chunkSize: Int32
    /// When it was committed.
    var uploadDate: Date
    /// The location; unique.
    var filename: String
    /// The media type.
    var metadata: Metadata?

    /// How many chunks it has.
    var chunkCount: Int64 {
        let size = max(1, Int64(chunkSize))
        return length / size + (length % size == 0 ? 0 : 1)
    }

    /// How it is cut; `nil` when that cannot be, or a read would take too much memory. Other programs choose their own size:
    /// 255 KiB, as a rule.
    var shape: KnownFiles.Shape? {
        guard length >= 0, (1...Int32(Self.maxChunkBytes)).contains(chunkSize) else { return nil }
        return KnownFiles.Shape(length: length, chunkBytes: Int64(chunkSize))
    }

    /// What the provider says of it.
    var facts: BlobFacts? {
        guard let validator = BlobValidator(id.description) else { return nil }
        return BlobFacts(
            size: length, validator: validator, modifiedAt: uploadDate, contentType: metadata?.contentType)
    }
}
