import Domain
import HTTPTypes
import Testing

@testable import VideoStreaming

struct RequestParsingTests {
    @Test(
        arguments: [
            ("/", .page), ("/healthz", .health), ("/readyz", .readiness), ("/metrics", .metrics), ("/videos", .list),
            ("/video", .content(id: nil)),
            ("/videos/abc", .record(id: "abc")), ("/videos/a%62c/content", .content(id: "abc")),
            ("/videos/a%2Fcontent", .record(id: "a/content")), ("/videos/%zz", .record(id: "%zz")),
            ("/videos/..", .record(id: "..")), ("/videos/%FF", .record(id: "\u{FFFD}")),
            ("/%76ideo", .content(id: nil)),
        ] as [(String, Route)])
    func aPathLeadsToItsRoute(path: String, route: Route) {
        #expect(Route(path: path) == route)
    }

    @Test(arguments: [
        "", "//", "/Video", "/video/", "/videos/", "/videos//", "/videos//content", "/videos/a/Content",
        "/videos/a/content/",
        "/videos/a/b/c", "video", "*", "/../video", "/video\u{301}", "http://x/video", "/healthz/x", "/%2F",
    ])
    func anyOtherPathLeadsNowhere(path: String) {
        #expect(Route(path: path) == nil)
    }

    @Test(
        arguments: [
            (nil, nil), ("", nil), ("id", nil), ("id=", nil), ("&&", nil), ("=x", nil), ("x=1", nil), ("ID=1", nil),
            ("id=1", "1"), ("x=2&id=1&", "1"), ("id=a%20b", "a b"), ("id=a=b", "a=b"), ("%69d=1", "1"), ("id=%", "%"),
            ("id=%4", "%4"), ("id=%g1", "%g1"), ("id=%00", "\u{0}"), ("id=+", "+"),
        ] as [(String?, String?)])
    func aParameterIsFound(query: String?, value: String?) throws {
        #expect(try QueryParameters(query).value("id") == value)
    }

    @Test(arguments: ["id=1&id=1", "id&id=1", "id=&x&id="])
    func aParameterGivenTwiceIsRefused(query: String) {
        #expect(throws: ServiceError.self) { try QueryParameters(query).value("id") }
    }

    @Test(
        arguments: [
            ("video/webm", "video/mp4", "a.mkv", "video/webm"),
            (nil, "video/mp4; codecs=\"avc1\"", "a.mkv", "video/mp4; codecs=\"avc1\""),
            (nil, nil, "a.MKV", "video/x-matroska"), (nil, nil, "dir.mp4/a", "application/octet-stream"),
            (nil, nil, "a.", "application/octet-stream"), (nil, nil, "a.m3u8", "application/vnd.apple.mpegurl"),
            ("application/octet-stream", nil, "a.mp4", "video/mp4"),
            ("binary/octet-stream", "video/webm", "a.mp4", "video/webm"),
            ("application/octet-stream", nil, "a.bin", "application/octet-stream"),
            ("video/mp4\r\nX: y", "nonsense", "a.ts", "video/mp2t"), ("", "/", "a.mov", "video/quicktime"),
        ] as [(String?, String?, String, String)])
    func theMediaTypeIsTheBestThatIsKnown(stored: String?, recorded: String?, path: String, expected: String) throws {
        #expect(MediaType.choose(stored: stored, recorded: recorded, key: try StorageKey(path)) == expected)
    }

    @Test(
        arguments: [
            (.invalidArgument, 400), (.unauthenticated, 401), (.permissionDenied, 403), (.notFound, 404),
            (.conflict, 409),
            (.tooLarge, 413), (.overloaded, 503), (.unavailable, 503), (.deadlineExceeded, 504), (.corrupt, 502),
            (.unimplemented, 501), (.internal, 500),
        ] as [(ServiceError.Code, Int)])
    func eachErrorHasItsStatus(code: ServiceError.Code, status: Int) {
        let problem = Problem(ServiceError(code, "The reason."))
        #expect(problem.status.code == status)
        #expect(problem.fields[.retryAfter] == (status == 503 ? "1" : nil))
        #expect((problem.fields[.wwwAuthenticate] != nil) == (status == 401))
        #expect(problem.detail.contains("The reason.") == (code != .internal))
    }
}
