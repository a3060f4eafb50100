import Domain
import HTTPTypes

/// What every answer about an object's current state says of it. It is the same for all requests, so a connection makes it once
/// and not anew for each range.
struct Representation: Sendable {
    /// The object.
    let facts: ObjectFacts
    /// The `Content-Type` of its bytes.
    let contentType: String
    /// The strong validator: the version names one immutable state of the bytes.
    let entityTag: EntityTag
    /// When the bytes were last changed, never later than they were described (RFC 9110 section 8.8.2.1); `nil` when HTTP
    /// cannot write it.
    let lastModified: HTTPDate?
    /// Whether it is the same a moment later. Not so when the bytes were changed after now, which a clock that is wrong can say.
    let isLasting: Bool
    /// What caches need of every answer.
    let validators: HTTPFields
    /// What an answer with the object's bytes has, or would have, apart from their length.
    let fields: HTTPFields

    /// Describes an object.
    ///
    /// - Parameters:
    ///   - facts: The object.
    ///   - contentType: The `Content-Type` of its bytes.
    ///   - now: When it is described.
    ///   - extraFields: Other fields of every answer that has the object's bytes, or would have them.
    init(facts: ObjectFacts, contentType: String, now: HTTPDate, extraFields: HTTPFields = HTTPFields()) {
        self.facts = facts
        self.contentType = contentType
        entityTag = EntityTag(strong: facts.version.description)
        let modified = HTTPDate(facts.modifiedAt)
        lastModified = modified.map { min($0, now) }
        isLasting = modified.map { $0 <= now } ?? true
        var fields: HTTPFields = [.eTag: entityTag.description, .cacheControl: "no-cache"]
        if let lastModified { fields[.lastModified] = lastModified.description }
        validators = fields
        fields.append(contentsOf: extraFields)
        fields[.acceptRanges] = "bytes"
        fields[.contentType] = contentType
        fields[.xContentTypeOptions] = "nosniff"
        self.fields = fields
    }
}

extension Representation {
    /// Describes the object that a video plays.
    init(of video: PlayableVideo, facts: ObjectFacts, now: HTTPDate) {
        self.init(
            facts: facts,
            contentType: MediaType.choose(stored: facts.contentType, recorded: video.contentType, key: video.key),
            now: now, extraFields: [.contentDisposition: video.disposition])
    }
}
