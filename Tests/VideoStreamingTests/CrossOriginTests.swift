import Domain
import TestKit
import Testing

@testable import VideoStreaming

/// Players on pages of other origins, over a real socket.
struct CrossOriginTests {
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

    @Test func aPlayerMaySendRangesAndReadWhatTellsOfThem() async throws {
        let fixture = try GatewayFixture()
        fixture.putVideo(bytes: 100)
        let preflight = try await answer(
            fixture, "OPTIONS", GatewayFixture.target,
            [
                "Origin: https://player.example", "Access-Control-Request-Method: GET",
                "Access-Control-Request-Headers: range",
            ])
        #expect(preflight.status == 204)
        #expect(preflight["access-control-allow-origin"] == "*")
        #expect(preflight["access-control-allow-methods"] == "GET, HEAD")
        #expect(preflight["access-control-allow-headers"]?.contains("Range, If-Range") == true)
        #expect(preflight["access-control-max-age"] == "86400")
        #expect(preflight["allow"] == "GET, HEAD, OPTIONS")
        #expect(preflight["content-length"] == nil)
        let part = try await answer(
            fixture, "GET", GatewayFixture.target, ["Origin: https://player.example", "Range: bytes=0-9"])
        #expect(part.status == 206)
        #expect(part["access-control-allow-origin"] == "*")
        let exposed = try #require(part["access-control-expose-headers"])
        for name in ["Content-Range", "Content-Length", "ETag", "Accept-Ranges"] { #expect(exposed.contains(name)) }
        #expect(part["timing-allow-origin"] == "*")
        #expect(part["cross-origin-resource-policy"] == "cross-origin")
        #expect(part["vary"] == nil)
    }

    @Test func failuresCanBeReadFromElsewhereToo() async throws {
        for (target, status) in [(GatewayFixture.target, 404), ("/video?id=x", 400)] {
            let response = try await answer(try GatewayFixture(), "GET", target)
            #expect(response.status == status)
            #expect(response["access-control-allow-origin"] == "*")
        }
    }

    @Test func nothingCanBeChangedFromElsewhere() async throws {
        let response = try await answer(
            try GatewayFixture(), "OPTIONS", "/videos/\(GatewayFixture.idText)/content",
            ["Origin: https://evil.example", "Access-Control-Request-Method: PUT"])
        #expect(response.status == 204)
        #expect(response["access-control-allow-methods"] == "GET, HEAD")
        #expect(response["access-control-allow-credentials"] == nil)
        #expect(response["allow"] == "GET, HEAD, OPTIONS, PUT")
    }

    @Test func pagesForPeopleAreNotForOtherOrigins() async throws {
        for target in ["/", "/healthz", "/readyz", "/metrics"] {
            let response = try await answer(
                try GatewayFixture(), "OPTIONS", target, ["Access-Control-Request-Method: GET"])
            #expect(response.status == 204)
            #expect(response["access-control-allow-origin"] == nil)
            #expect(response["access-control-allow-methods"] == nil)
        }
    }

    @Test func oneOriginAloneIsNamedAndKeptApartInCaches() async throws {
        var fixture = try GatewayFixture()
        fixture.configuration.crossOrigin = "https://player.example"
        fixture.putVideo(bytes: 100)
        let response = try await answer(fixture, "GET", GatewayFixture.target)
        #expect(response["access-control-allow-origin"] == "https://player.example")
        #expect(response["vary"] == "Origin")
    }

    @Test func withoutAnOriginNobodyElseMayRead() async throws {
        var fixture = try GatewayFixture()
        fixture.configuration.crossOrigin = nil
        fixture.putVideo(bytes: 100)
        let response = try await answer(fixture, "GET", GatewayFixture.target)
        #expect(response.status == 200)
        #expect(response.fields.allSatisfy { !$0.name.hasPrefix("access-control") })
    }

    @Test func theServerAsAWholeHasOptions() async throws {
        let response = try await answer(try GatewayFixture(), "OPTIONS", "*")
        #expect(response.status == 204)
        #expect(response["allow"] == "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE")
        #expect(try await answer(try GatewayFixture(), "OPTIONS", "/nothing").status == 404)
    }

    @Test(arguments: [
        ("*", true), ("https://player.example", true), ("http://localhost:3000", true), ("https://[::1]:8443", true),
        ("player.example", false), ("https://", false), ("https://a.example/path", false), ("https://a b", false),
        ("https://a.example\r\nX: y", false), ("ftp://a.example", false), ("", false), ("https://a://b", false),
    ])
    func whatIsNoOriginIsRefused(text: String, isOrigin: Bool) {
        #expect(CrossOrigin.isOrigin(text) == isOrigin)
    }
}
