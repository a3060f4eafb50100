import Domain

/// What a video's fields have to look like, whoever wrote them.
enum VideoRules {
    /// What is wrong, and with which field.
    struct Fault: Equatable {
        /// The field's name, as records and requests have it.
        let field: String
        /// What is wrong with it and how to mend it, as the rest of a sentence that begins with the field's name.
        let reason: String
    }

    /// As RFC 6838 section 4.2 has it: 127 characters on either side of the slash.
    static let maxContentTypeBytes = 255

    /// Lets a new video pass when all of it is acceptable.
    ///
    /// - Throws: `invalidArgument` that names the first field which is not, and the remedy.
    static func check(_ video: NewVideo) throws(ServiceError) {
        _ = try StorageKey(video.videoPath)
        let fault = fault(title: video.title, description: video.description, contentType: video.contentType)
        guard let fault else { return }
        throw ServiceError(.invalidArgument, "\(fault.field) \(fault.reason).")
    }

    /// Lets a change pass when what it sets is acceptable.
    ///
    /// - Throws: `invalidArgument` that names the first field which is not, and the remedy.
    static func check(_ change: VideoChange) throws(ServiceError) {
        let fault = fault(
            title: change.title.applied(to: nil), description: change.description.applied(to: nil),
            contentType: change.contentType.applied(to: nil))
        guard let fault else { return }
        throw ServiceError(.invalidArgument, "\(fault.field) \(fault.reason).")
    }

    /// The first fault of a stored video, or `nil` when it can be given to a caller.
    ///
    /// Its path is only measured: whether it is a valid key is decided where it is used, so that a caller learns why a
    /// record does not play.
    static func fault(in video: Video) -> Fault? {
        guard video.videoPath.utf8.count <= StorageKey.maxBytes else {
            return Fault(field: "videoPath", reason: "is longer than \(StorageKey.maxBytes) bytes; shorten it")
        }
        return fault(title: video.title, description: video.description, contentType: video.contentType)
    }

    private static func fault(title: String?, description: String?, contentType: String?) -> Fault? {
        if let title, title.utf8.count > NewVideo.maxTitleBytes {
            return Fault(field: "title", reason: "is longer than \(NewVideo.maxTitleBytes) bytes; shorten it")
        }
        if let description, description.utf8.count > NewVideo.maxDescriptionBytes {
            return Fault(
                field: "description", reason: "is longer than \(NewVideo.maxDescriptionBytes) bytes; shorten it")
        }
        if let contentType, !isMediaType(contentType) {
            return Fault(field: "contentType", reason: "is no media type; write it like video/mp4, or leave it out")
        }
        return nil
    }

    /// Whether a text can be sent as a `Content-Type`: two names with a slash between, and parameters in plain ASCII
    /// after a semicolon. Control characters would let a record write headers of its own.
    private static func isMediaType(_ text: String) -> Bool {
        guard text.utf8.count <= maxContentTypeBytes, text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            return false
        }
        let essence = text.split(separator: ";", omittingEmptySubsequences: false).first ?? ""
        let names = essence.split(separator: "/", omittingEmptySubsequences: false)
        return names.count == 2
            && names.allSatisfy { name in
                let name = name.utf8.last == UInt8(ascii: " ") ? name.dropLast() : name
                return !name.isEmpty && name.utf8.allSatisfy(isTokenCharacter)
            }
    }

    /// RFC 9110 section 5.6.2.
    private static func isTokenCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default:
            "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
