import Domain
import NIOCore
import TestKit
import Testing

@testable import VideoStreaming

/// The gateway over a real socket, its services in memory: what it answers.
struct GatewaySocketTests {
    /// One request on a connection of its own.
    private func answer(
        _ fixture: GatewayFixture, _ method: String, _ target: String, _ fields: [String] = []
    ) async throws -> RawHTTPResponse {
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request(method, target, fields)
                return try await connection.response(hasBody: method != "HEAD")
            }
        }
    }

    @Test(arguments: [0, 1, 4_095, 4_096, 4_097, 1_000_003])
    func aWholeVideoArrivesByteForByte(size: Int) async throws {
        let fixture = try GatewayFixture()
        let video = fixture.putVideo(bytes: size)
        let response = try await answer(fixture, "GET", GatewayFixture.target)
        #expect(response.status == 200)
        #expect(response["content-length"] == "\(size)")
        #expect(response["etag"] == "\"v1\"")
        #expect(response["last-modified"] == "Tue, 14 Nov 2023 22:13:20 GMT")
        #expect(response["content-type"] == "video/mp4")
        #expect(response["accept-ranges"] == "bytes")
        #expect(response["x-content-type-options"] == "nosniff")
        #expect(response["date"] != nil)
        #expect(response["server"] == nil)
        #expect(response["transfer-encoding"] == nil)
        #expect(response.body == video)
    }

    @Test func manyRangesOnOneConnectionAreExact() async throws {
        let fixture = try GatewayFixture()
        let size = 100_000
        let video = fixture.putVideo(bytes: size)
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                var random = SeededRandom(seed: 7)
                for _ in 0..<200 {
                    let first = Int.random(in: 0..<size, using: &random)
                    let last = Int.random(in: first..<size, using: &random)
                    let path =
                        Bool.random(using: &random)
                        ? GatewayFixture.target : "/videos/\(GatewayFixture.idText)/content"
                    try await connection.request("GET", path, ["Range: bytes=\(first)-\(last)"])
                    let response = try await connection.response()
                    #expect(response.status == 206)
                    #expect(response["content-range"] == "bytes \(first)-\(last)/\(size)")
                    #expect(response.body == video.getSlice(at: first, length: last - first + 1))
                }
            }
        }
    }

    @Test func headSaysWhatGetWouldAndSendsNothing() async throws {
        let fixture = try GatewayFixture()
        fixture.putVideo(bytes: 10_000)
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                for target in [GatewayFixture.target, "/", "/videos", "/healthz", "/nothing", "/video"] {
                    try await connection.request("HEAD", target, ["Range: bytes=0-0"])
                    let head = try await connection.response(hasBody: false)
                    try await connection.request("GET", target)
                    let whole = try await connection.response()
                    #expect(head.status == whole.status)
                    #expect(head["content-length"] == whole["content-length"])
                    #expect(head["content-type"] == whole["content-type"])
                    #expect(head["etag"] == whole["etag"])
                }
            }
        }
        // Twice the video, and once its facts alone; the second time from memory.
        #expect(fixture.storage.counts.reads == 3 && fixture.storage.counts.stats == 1)
    }

    @Test func notModifiedHasNoBodyAndNoLength() async throws {
        let fixture = try GatewayFixture()
        fixture.putVideo(bytes: 10_000)
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                for method in ["GET", "HEAD"] {
                    try await connection.request(method, GatewayFixture.target, ["If-None-Match: \"v1\""])
                    let response = try await connection.response()
                    #expect(response.status == 304)
                    #expect(response["content-length"] == nil)
                    #expect(response["etag"] == "\"v1\"")
                }
                try await connection.request("GET", GatewayFixture.target, ["Connection: close"])
                #expect(try await connection.response().status == 200)
                #expect(try await connection.rest().readableBytes == 0)
            }
        }
        #expect(fixture.storage.counts.reads == 3)
    }

    @Test func anUnsatisfiableRangeIsAProblemThatNamesTheSize() async throws {
        let fixture = try GatewayFixture()
        fixture.putVideo(bytes: 1_000)
        let response = try await answer(fixture, "GET", GatewayFixture.target, ["Range: bytes=1000-"])
        #expect(response.status == 416)
        #expect(response["content-range"] == "bytes */1000")
        #expect(response["content-type"] == "application/problem+json")
        #expect(response.isComplete)
        #expect(response.text.contains("\"status\":416"))
        #expect(response.text.contains("\"title\":\"Range Not Satisfiable\""))
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        let fixture = try GatewayFixture()
        let video = fixture.putVideo(bytes: 20_000)
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                let requests = (0..<20).map { index in
                    "GET \(GatewayFixture.target) HTTP/1.1\r\nHost: t\r\nRange: bytes=\(index)-\(index + 9_000)\r\n\r\n"
                }
                try await connection.send(requests.joined())
                for index in 0..<20 {
                    #expect(try await connection.response().body == video.getSlice(at: index, length: 9_001))
                }
            }
        }
    }

    @Test func aClientThatOnlyFinishedSendingGetsItsAnswer() async throws {
        let fixture = try GatewayFixture()
        let video = fixture.putVideo(bytes: 300_000)
        fixture.storage.onRead(InMemoryStorage.delay(.milliseconds(1)))
        let response = try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request("GET", GatewayFixture.target)
                connection.finishSending()
                return try await connection.response()
            }
        }
        #expect(response.body == video)
    }

    @Test(arguments: ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
    func anyOtherMethodIsToldWhichOnesThereAre(method: String) async throws {
        let response = try await answer(try GatewayFixture(), method, GatewayFixture.target)
        #expect(response.status == 405)
        #expect(response["allow"] == "GET, HEAD, OPTIONS")
        #expect(response["content-type"] == "application/problem+json")
    }

    @Test(arguments: [
        ("/video", 400), ("/video?", 400), ("/video?id=", 400), ("/video?id", 400), ("/video?id=abc", 400),
        ("/video?id=5d9e690ad76fe06a3d7ae416&id=5d9e690ad76fe06a3d7ae416", 400),
        ("/video?id=5d9e690ad76fe06a3d7ae417", 404), ("/videos/5d9e690ad76fe06a3d7ae417", 404),
        ("/videos/xyz", 400), ("/videos/%00/content", 400), ("/videos/..%2f..%2fetc%2fpasswd/content", 400),
        ("/video?id=%35d9e690ad76fe06a3d7ae416", 200), ("/video?id=5D9E690AD76FE06A3D7AE416", 200),
        ("/video?x=1&&id=5d9e690ad76fe06a3d7ae416&y", 200), ("/videos/%35d9e690ad76fe06a3d7ae416/content", 200),
        ("/video?id=%FF%FE", 400), ("/video?id=%", 400), ("/nothing", 404), ("/videos/", 404), ("/video/", 404),
        ("//", 404),
        ("http://host/video?id=5d9e690ad76fe06a3d7ae416", 200), ("http://host", 200), ("http://:", 200),
        ("http://", 200),
        ("/%", 404), ("/?id=zz", 400), ("/videos?limit=0", 400), ("/videos?limit=201", 400), ("/videos?limit=x", 400),
        ("/videos?limit=99999999999999999999", 400), ("/videos?cursor=x", 400), ("/videos?limit=&cursor=", 200),
        ("/videos?limit=200", 200), ("/#", 404), ("/video?#id=5d9e690ad76fe06a3d7ae416", 400), ("*", 404),
    ])
    func oddTargetsGetTheirStatusAndNeverACrash(target: String, status: Int) async throws {
        let fixture = try GatewayFixture()
        fixture.putVideo(bytes: 10)
        let response = try await answer(fixture, "GET", target)
        #expect(response.status == status)
        #expect(response.isComplete)
        if status >= 400 { #expect(response["content-type"] == "application/problem+json") }
    }

    @Test func aVeryLongIDIsMalformedAndNotSentBack() async throws {
        let response = try await answer(
            try GatewayFixture(), "GET", "/video?id=" + String(repeating: "a", count: 8_000))
        #expect(response.status == 400)
        #expect(response.body.readableBytes < 500)
    }

    @Test func aTargetOverTheLimitIsToldTheLimit() async throws {
        let fixture = try GatewayFixture()
        fixture.putVideo(bytes: 10)
        let longest =
            GatewayFixture.target + "&x=" + String(repeating: "a", count: 8_192 - GatewayFixture.target.count - 3)
        #expect(try await answer(fixture, "GET", longest).status == 200)
        let response = try await answer(fixture, "GET", longest + "a")
        #expect(response.status == 414)
        #expect(response["content-type"] == "application/problem+json")
        #expect(response.text.contains("8192 bytes"))
    }

    @Test(arguments: [
        "GARBAGE\r\n\r\n", "BREW / HTTP/1.1\r\n\r\n", "GET ? HTTP/1.1\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
        "\u{0}\u{1}\r\n\r\n", "GET /\u{0} HTTP/1.1\r\n\r\n",
    ])
    func whatIsNoHTTPEndsTheConnectionOnly(text: String) async throws {
        let fixture = try GatewayFixture()
        fixture.putVideo(bytes: 10)
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.send(text)
                let rest = try await connection.rest()
                #expect(rest.readableBytes == 0 || String(buffer: rest).contains(" 400 "))
            }
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request("GET", GatewayFixture.target)
                #expect(try await connection.response().status == 200)
            }
        }
    }

    @Test func tooManyHeaderFieldsAreRefused() async throws {
        let fixture = try GatewayFixture()
        let fields = (0..<200).map { "X-\($0): y" }
        #expect(try await answer(fixture, "GET", "/healthz", fields).status == 400)
        let large = ["X: " + String(repeating: "y", count: 20_000)]
        #expect(try await answer(try GatewayFixture(), "GET", "/healthz", large).status == 400)
    }
}
