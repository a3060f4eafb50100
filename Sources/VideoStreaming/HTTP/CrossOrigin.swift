import HTTPTypes

/// Lets pages of other origins read what this gateway sends: CORS, as the Fetch standard has it. Reading alone; a page of
/// another origin can change nothing, since no other method is allowed to it.
struct CrossOrigin: Sendable {
    /// The value of `Access-Control-Allow-Origin`: `*`, or one origin. `nil` allows none.
    let origin: String?

    /// What a player may send beside what every page may.
    private static let requestFields =
        "Range, If-Range, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since"
    /// What a player may look at beside what every page may.
    private static let responseFields =
        "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, Date, ETag, Last-Modified, Link, "
        + "Retry-After, Server-Timing"
    /// For how long a browser need not ask again; none takes more than a day.
    private static let maxAgeSeconds = "86400"

    /// The fields of every answer, also to those who did not ask from elsewhere: caches keep an answer for everybody.
    let fields: HTTPFields
    /// The further fields of the answer to a preflight.
    let preflightFields: HTTPFields

    /// Allows an origin.
    init(origin: String?) {
        self.origin = origin
        guard let origin else {
            (fields, preflightFields) = (HTTPFields(), HTTPFields())
            return
        }
        var fields: HTTPFields = [
            .accessControlAllowOrigin: origin, .accessControlExposeHeaders: Self.responseFields,
            .timingAllowOrigin: origin, .crossOriginResourcePolicy: "cross-origin",
        ]
        if origin != "*" { fields[.vary] = "Origin" }
        self.fields = fields
        preflightFields = [
            .accessControlAllowMethods: "GET, HEAD", .accessControlAllowHeaders: Self.requestFields,
            .accessControlMaxAge: Self.maxAgeSeconds,
        ]
    }

    /// Whether a text can stand as the origin: `*`, or scheme, host and port in plain characters.
    static func isOrigin(_ text: String) -> Bool {
        guard text != "*" else { return true }
        let parts = text.split(separator: "://", omittingEmptySubsequences: false)
        guard parts.count == 2, ["http", "https"].contains(parts[0]), !parts[1].isEmpty else { return false }
        return parts[1].utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: ".-:[]_".utf8.contains(byte)
            }
        }
    }
}

extension HTTPField.Name {
    /// W3C Resource Timing; HTTPTypes does not list it. The fallback is never taken: the text is a token.
    fileprivate static let timingAllowOrigin = HTTPField.Name("Timing-Allow-Origin") ?? .trailer
    /// Fetch; HTTPTypes does not list it.
    fileprivate static let crossOriginResourcePolicy = HTTPField.Name("Cross-Origin-Resource-Policy") ?? .trailer
}
