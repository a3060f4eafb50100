import Domain
import NIOCore
import TestKit
import Testing

@testable import VideoStreaming

/// Records made, changed and deleted over a real socket, the services in memory.
@Suite(.timeLimit(.minutes(1))) struct ChangeSocketTests {
    private static let path = "/videos/\(GatewayFixture.idText)"

    private func answer(
        _ fixture: GatewayFixture, _ method: String, _ target: String, _ body: String? = nil,
        type: String = "application/json", fields: [String] = []
    ) async throws -> RawHTTPResponse {
        var head = [GatewayFixture.authorization] + fields
        if let body { head += ["Content-Type: \(type)", "Content-Length: \(body.utf8.count)"] }
        let sent = head
        return try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request(method, target, sent)
                if let body { try await connection.send(body) }
                return try await connection.response()
            }
        }
    }

    @Test func aNewVideoAwaitsItsUpload() async throws {
        let fixture = try GatewayFixture()
        let response = try await answer(
            fixture, "POST", "/videos", #"{"title":"Mühle","contentType":"video/mp4"}"#)
        #expect(response.status == 201)
        let made = try #require(fixture.metadata.videos.first { $0.title == "Mühle" })
        #expect(made.state == .awaitingUpload && made.videoPath == "videos/\(made.id)")
        #expect(response["location"] == "/videos/\(made.id)")
        #expect(response["etag"] == "\"\(made.revision)\"")
        #expect(response.text.contains(#""state":"awaitingUpload""#))
        #expect(response["content-type"] == "application/json")
    }

    @Test func aNewVideoMayBeWithoutAnything() async throws {
        let fixture = try GatewayFixture()
        #expect(try await answer(fixture, "POST", "/videos").status == 201)
        #expect(try await answer(fixture, "POST", "/videos", "{}").status == 201)
        #expect(fixture.metadata.videos.count == 3)
    }

    @Test func anIdMayBeChosenAndIsTakenOnce() async throws {
        let fixture = try GatewayFixture()
        let id = String(repeating: "c", count: 24)
        let first = try await answer(fixture, "POST", "/videos", #"{"id":"\#(id)","title":"A"}"#)
        #expect(first.status == 201 && first["location"] == "/videos/\(id)")
        #expect(try await answer(fixture, "POST", "/videos", #"{"id":"\#(id)","title":"A"}"#).status == 201)
        #expect(try await answer(fixture, "POST", "/videos", #"{"id":"\#(id)","title":"B"}"#).status == 409)
    }

    @Test func aRequestThatIsSentAgainUnderItsKeyMakesOneVideo() async throws {
        let fixture = try GatewayFixture()
        var locations: Set<String> = []
        for key in ["1", "1", "2"] {
            let response = try await answer(
                fixture, "POST", "/videos", #"{"title":"A"}"#, fields: ["Idempotency-Key: \(key)"])
            #expect(response.status == 201)
            locations.insert(response["location"] ?? "")
        }
        #expect(locations.count == 2)
    }

    @Test(arguments: [
        ("{", "application/json", 400), (#"{"title":1}"#, "application/json", 400),
        (#"{"videoPath":"../a"}"#, "application/json", 400), ("{}", "text/plain", 415),
        ("title=A", "application/x-www-form-urlencoded", 415),
    ])
    func whatIsNotUnderstoodIsRefused(body: String, type: String, status: Int) async throws {
        let fixture = try GatewayFixture()
        for (method, target) in [("POST", "/videos"), ("PATCH", Self.path)] {
            let response = try await answer(fixture, method, target, body, type: type)
            #expect(response.status == status)
            #expect(response["content-type"] == "application/problem+json")
        }
        #expect(fixture.metadata.videos.count == 1)
    }

    @Test func aBodyThatIsTooLongIsRefused() async throws {
        let body = #"{"title":"\#(String(repeating: "a", count: VideoFields.maxBytes))"}"#
        #expect(try await answer(try GatewayFixture(), "POST", "/videos", body).status == 413)
    }

    @Test(arguments: ["application/json", "application/merge-patch+json; charset=utf-8"])
    func aPatchChangesWhatItNames(type: String) async throws {
        let fixture = try GatewayFixture()
        fixture.metadata.put(
            Video(id: fixture.id, videoPath: "a.mp4", title: "A", description: "B", contentType: "video/mp4"))
        let response = try await answer(
            fixture, "PATCH", Self.path, #"{"title":"C","description":null}"#, type: type, fields: ["If-Match: \"0\""])
        #expect(response.status == 200)
        #expect(response["etag"] == "\"1\"")
        let video = try #require(fixture.metadata.videos.first)
        #expect(video.title == "C" && video.description == nil && video.contentType == "video/mp4")
        #expect(response.text.contains(#""title":"C""#))
    }

    @Test func aPatchOfAnotherRevisionIsRefused() async throws {
        let fixture = try GatewayFixture()
        for method in ["PATCH", "DELETE"] {
            for tag in ["\"7\"", "W/\"0\"", "\"0", "\"\""] {
                let response = try await answer(
                    fixture, method, Self.path, method == "PATCH" ? #"{"title":"C"}"# : nil,
                    fields: ["If-Match: \(tag)"])
                #expect(response.status == 412)
            }
        }
        #expect(fixture.metadata.videos.first?.revision == 0)
        let several = try await answer(
            fixture, "PATCH", Self.path, #"{"title":"C"}"#, fields: ["If-Match: \"7\", \"0\""])
        #expect(several.status == 200)
        #expect(try await answer(fixture, "PATCH", Self.path, #"{"title":"D"}"#, fields: ["If-Match: *"]).status == 200)
        #expect(try await answer(fixture, "PATCH", Self.path, #"{"title":"E"}"#).status == 200)
    }

    @Test func theTagOfARecordIsWhatAPatchNeeds() async throws {
        let fixture = try GatewayFixture()
        let read = try await answer(fixture, "GET", Self.path)
        let tag = try #require(read["etag"])
        #expect(tag == "\"0\"")
        #expect(try await answer(fixture, "GET", Self.path, fields: ["If-None-Match: \(tag)"]).status == 304)
        #expect(try await answer(fixture, "PATCH", Self.path, "{}", fields: ["If-Match: \(tag)"]).status == 200)
        #expect(try await answer(fixture, "GET", Self.path, fields: ["If-None-Match: \(tag)"]).status == 200)
    }

    @Test func aDeletedVideoIsGone() async throws {
        let fixture = try GatewayFixture()
        fixture.putVideo(bytes: 10)
        let response = try await answer(fixture, "DELETE", Self.path)
        #expect(response.status == 204 && response.body.readableBytes == 0)
        for (method, target) in [("DELETE", Self.path), ("GET", Self.path), ("GET", GatewayFixture.target)] {
            #expect(try await answer(fixture, method, target).status == 404)
        }
        #expect(try await answer(fixture, "PATCH", Self.path, "{}").status == 404)
    }

    @Test func withoutTheTokenNothingIsChanged() async throws {
        var fixture = try GatewayFixture()
        fixture.configuration.writeToken = "another-token-that-is-long"
        for (method, target) in [("POST", "/videos"), ("PATCH", Self.path), ("DELETE", Self.path)] {
            let response = try await answer(fixture, method, target, method == "DELETE" ? nil : "{}")
            #expect(response.status == 401)
        }
        fixture.configuration.writeToken = nil
        #expect(try await answer(fixture, "DELETE", Self.path).status == 403)
        #expect(fixture.metadata.videos.map(\.state) == [.ready])
    }

    @Test(arguments: [
        ("/videos", "DELETE", "GET, HEAD, OPTIONS, POST"), (Self.path, "PUT", "GET, HEAD, OPTIONS, PATCH, DELETE"),
        ("\(Self.path)/content", "POST", "GET, HEAD, OPTIONS, PUT"), ("/", "POST", "GET, HEAD, OPTIONS"),
    ])
    func everyResourceSaysWhatCanBeDone(target: String, method: String, allowed: String) async throws {
        let response = try await answer(try GatewayFixture(), method, target)
        #expect(response.status == 405)
        #expect(response["allow"] == allowed)
    }

    @Test(arguments: ["/videos/xyz", "/videos/%00"])
    func anIdThatIsNoneIsRefused(target: String) async throws {
        let fixture = try GatewayFixture()
        #expect(try await answer(fixture, "DELETE", target).status == 400)
        #expect(try await answer(fixture, "PATCH", target, "{}").status == 400)
        #expect(try await answer(fixture, "PUT", "\(target)/content", "x").status == 400)
    }
}
