/// What the extension of a file's name says of its bytes.
public enum MediaTypeByName {
    private static let byExtension: [String: String] = [
        "mp4": "video/mp4",
        "m4v": "video/mp4",
        "m4a": "audio/mp4",
        "m4s": "video/iso.segment",
        "webm": "video/webm",
        "mkv": "video/x-matroska",
        "mov": "video/quicktime",
        "ogv": "video/ogg",
        "ogg": "audio/ogg",
        "mp3": "audio/mpeg",
        "mpg": "video/mpeg",
        "mpeg": "video/mpeg",
        "avi": "video/x-msvideo",
        "ts": "video/mp2t",
        "m3u8": "application/vnd.apple.mpegurl",
        "mpd": "application/dash+xml",
        "vtt": "text/vtt",
    ]

    /// The media type; `nil` when the name has no extension that is known.
    public static func of(_ path: String) -> String? {
        let name = path.split(separator: "/").last ?? ""
        guard let dot = name.lastIndex(of: ".") else { return nil }
        return byExtension[name[name.index(after: dot)...].lowercased()]
    }
}
