import Domain
import Mongo

/// A document of the collection `videos` as a command sees it: the video, and which commands it remembers.
///
/// Beside them the document has `pendingEvents`, which ``VideoOutbox`` reads.
struct CommandRecord: Codable, Sendable {
    /// The fields beside those of ``VideoRecord``, under their names in the database.
    enum CodingKeys: String, CodingKey {
        case commands
    }

    /// A command that was done, with its answer.
    struct Done: Codable, Sendable {
        /// The id under which it was given.
        var id: String
        /// The record that it made; for a deletion there is none.
        var video: VideoRecord?
    }

    /// What the document says.
    var video: Video
    /// The last commands, the newest last.
    var commands: [Done]

    /// Reads a document; what is missing gets its default.
    init(from decoder: any Decoder) throws {
        video = try VideoRecord(from: decoder).video
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        commands = try fields.decodeIfPresent([Done].self, forKey: .commands) ?? []
    }

    /// The fields are written one by one, by update operators; this is for the collection's type alone.
    func encode(to encoder: any Encoder) throws {
        try VideoRecord(video).encode(to: encoder)
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(commands, forKey: .commands)
    }

    /// What a command that is given again was answered the first time.
    func answer(to command: CommandID) -> Done? {
        commands.last { $0.id == command.description }
    }
}
