import Domain
import Mongo

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A document of the collection `videos`: a ``Domain/Video`` as the database has it.
///
/// Any MongoDB client may write one; `_id` (an ObjectId) and `videoPath` (a string) are enough. Fields that are not known
/// here are ignored, numbers may be int32, int64 or double. A known field of another type, or one over its limit, is a
/// wrong shape: decoding names the field.
struct VideoRecord: Codable, Sendable, Equatable {
    /// The collection.
    static let collection = "videos"

    /// The fields, under their names in the database.
    enum CodingKeys: String, CodingKey, CaseIterable {
        case id = "_id"
        case videoPath
        case title
        case description
        case contentType
        case state
        case content
        case createdAt
        case updatedAt
        case revision
    }

    /// What the document says.
    var video: Video

    /// The document of a video.
    init(_ video: Video) {
        self.video = video
    }

    /// Reads a document; what is missing gets its default.
    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let objectID = try fields.decode(ObjectID.self, forKey: .id)
        guard let id = VideoID(objectID.description) else {
            throw DecodingError.dataCorruptedError(forKey: .id, in: fields, debugDescription: "it is no video id")
        }
        let video = Video(
            id: id,
            videoPath: try fields.decode(String.self, forKey: .videoPath),
            title: try fields.decodeIfPresent(String.self, forKey: .title),
            description: try fields.decodeIfPresent(String.self, forKey: .description),
            contentType: try fields.decodeIfPresent(String.self, forKey: .contentType),
            state: try fields.decodeIfPresent(Video.State.self, forKey: .state) ?? .ready,
            // Another program may use the name for something else.
            content: (try? fields.decodeIfPresent(ContentRecord.self, forKey: .content))?.content,
            createdAt: try fields.decodeIfPresent(Date.self, forKey: .createdAt),
            updatedAt: try fields.decodeIfPresent(Date.self, forKey: .updatedAt),
            revision: try fields.decodeIfPresent(Int64.self, forKey: .revision) ?? 0)
        if let fault = VideoRules.fault(in: video), let key = CodingKeys(rawValue: fault.field) {
            throw DecodingError.dataCorruptedError(
                forKey: key, in: fields, debugDescription: "field \(fault.field) \(fault.reason)")
        }
        self.video = video
    }

    /// Writes a document; what is not known is left out.
    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        guard let id = ObjectID(video.id.description) else {
            throw EncodingError.invalidValue(
                video.id, EncodingError.Context(codingPath: [CodingKeys.id], debugDescription: "it is no ObjectId"))
        }
        try fields.encode(id, forKey: .id)
        try fields.encode(video.videoPath, forKey: .videoPath)
        try fields.encodeIfPresent(video.title, forKey: .title)
        try fields.encodeIfPresent(video.description, forKey: .description)
        try fields.encodeIfPresent(video.contentType, forKey: .contentType)
        try fields.encode(video.state, forKey: .state)
        try fields.encodeIfPresent(video.content.map(ContentRecord.init), forKey: .content)
        try fields.encodeIfPresent(video.createdAt, forKey: .createdAt)
        try fields.encodeIfPresent(video.updatedAt, forKey: .updatedAt)
        try fields.encode(video.revision, forKey: .revision)
    }
}
