import Domain
import Logging
import NIOCore
import TestKit
import Testing

@testable import VideoStreaming

/// The gateway over a real socket when something is wrong behind it.
struct GatewayFailureTests {
    private func answer(
        _ fixture: GatewayFixture, _ target: String = GatewayFixture.target
    ) async throws -> RawHTTPResponse {
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request("GET", target)
                return try await connection.response()
            }
        }
    }

    @Test(
        arguments: [
            (.notFound, 404), (.unavailable, 503), (.overloaded, 503), (.deadlineExceeded, 504), (.corrupt, 502),
            (.internal, 500), (.unimplemented, 501), (.invalidArgument, 500),
        ] as [(ServiceError.Code, Int)])
    func aFailureBeforeTheFirstByteIsAProblemDocument(code: ServiceError.Code, status: Int) async throws {
        for stage in ["stat", "read"] {
            let fixture = try GatewayFixture()
            fixture.putVideo(bytes: 10_000)
            if stage == "stat" {
                fixture.storage.onStat(InMemoryStorage.failure(code))
            } else {
                fixture.storage.onRead(InMemoryStorage.failure(code))
            }
            let response = try await answer(fixture)
            #expect(response.status == status)
            #expect(response["content-type"] == "application/problem+json")
            #expect(response["retry-after"] == (status == 503 ? "1" : nil))
            #expect(response["etag"] == nil)
            #expect(response.isComplete)
        }
    }

    @Test func aMissingObjectIsNamedByItsKey() async throws {
        let response = try await answer(try GatewayFixture())
        #expect(response.status == 404)
        #expect(response.text.contains("films/mill race.mp4"))
    }

    @Test func aFailureOfTheMetadataServiceIsAProblemToo() async throws {
        let fixture = try GatewayFixture()
        fixture.metadata.fail(with: ServiceError(.unavailable, "No metadata worker is running."))
        for target in [GatewayFixture.target, "/videos", "/videos/\(GatewayFixture.idText)", "/"] {
            let response = try await answer(fixture, target)
            #expect(response.status == 503)
            #expect(response["retry-after"] == "1")
            #expect(response.text.contains("No metadata worker is running."))
        }
    }

    @Test func theDetailsOfADefectStayInTheLog() async throws {
        let fixture = try GatewayFixture()
        fixture.metadata.fail(with: ServiceError(.internal, "secret detail"))
        let response = try await answer(fixture)
        #expect(response.status == 500)
        #expect(!response.text.contains("secret detail"))
        #expect(fixture.log.lines.contains { $0.level == .error && "\($0.metadata)".contains("secret detail") })
    }

    @Test(arguments: ["../secret", "/etc/passwd", "a/../../b", "a\u{0}b", "", "a\\b"])
    func aPathThatLeadsOutIsRefusedLoggedAndNeverAskedFor(path: String) async throws {
        let fixture = try GatewayFixture()
        fixture.metadata.put(Video(id: fixture.id, videoPath: path))
        let response = try await answer(fixture)
        #expect(response.status == 500)
        #expect(response["content-type"] == "application/problem+json")
        #expect(fixture.log.lines.contains { $0.level == .warning && $0.message.contains("refused the videoPath") })
        #expect(fixture.storage.counts == InMemoryStorage.Counts())
    }

    @Test(arguments: [(Video.State.awaitingUpload, "upload"), (.deleted, "deleted")])
    func aVideoThatCannotPlayIsNotFoundAndSaysWhy(state: Video.State, word: String) async throws {
        let fixture = try GatewayFixture()
        fixture.putVideo(bytes: 10)
        fixture.metadata.put(Video(id: fixture.id, videoPath: fixture.key.description, state: state))
        let response = try await answer(fixture)
        #expect(response.status == 404)
        #expect(response.text.contains(word))
    }

    @Test func theRequestDeadlineEndsTheWaitForTheFirstByte() async throws {
        var fixture = try GatewayFixture()
        fixture.configuration.requestDeadlineSeconds = 0.1
        fixture.putVideo(bytes: 10)
        let gate = InMemoryGate()
        fixture.storage.onRead { (_, deadline) async throws(ServiceError) in
            #expect(deadline.remaining() <= .milliseconds(100))
            try await gate.pass(deadline: deadline)
        }
        #expect(try await answer(fixture).status == 504)
    }

    @Test func anObjectReplacedBetweenStatAndReadIsStartedOverOnce() async throws {
        let fixture = try GatewayFixture()
        fixture.putVideo(bytes: 10_000)
        let next = ByteBuffer(repeating: 7, count: 5_000)
        let version = try GatewayFixture.version("v2")
        let storage = fixture.storage
        let key = fixture.key
        storage.onRead { (call, _) throws(ServiceError) in
            if call == 1 { storage.put(key, bytes: next, version: version) }
        }
        let response = try await answer(fixture)
        #expect(response.status == 200)
        #expect(response["etag"] == "\"v2\"")
        #expect(response.body == next)
        #expect(storage.counts.stats == 2)
    }

    @Test func anObjectThatIsReplacedAgainAndAgainIsUnavailable() async throws {
        let fixture = try GatewayFixture()
        fixture.putVideo(bytes: 10_000)
        fixture.storage.onRead(InMemoryStorage.failure(.conflict))
        let response = try await answer(fixture)
        #expect(response.status == 503)
        #expect(fixture.storage.counts.stats == 2)
    }

    @Test(arguments: [ServiceError.Code.conflict, .corrupt, .notFound])
    func aFailureInMidStreamCutsTheResponse(code: ServiceError.Code) async throws {
        var fixture = try GatewayFixture()
        // One by one, so that the hundredth call is for the hundredth chunk.
        fixture.configuration.readAheadChunks = 1
        let video = fixture.putVideo(bytes: 1_000_000)
        fixture.storage.onRead(InMemoryStorage.failure(code) { $0 == 100 })
        let response = try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request("GET", GatewayFixture.target)
                let response = try await connection.response()
                #expect(try await connection.rest().readableBytes == 0)
                return response
            }
        }
        #expect(response.status == 200)
        #expect(response["content-length"] == "1000000")
        #expect(!response.isComplete)
        #expect(response.body.readableBytes <= 99 * 4_096)
        #expect(response.body == video.getSlice(at: 0, length: response.body.readableBytes))
        let line = try #require(fixture.log.requests.first)
        #expect(line["outcome"] == "cut")
        #expect(line["status"] == "200")
        #expect(line["bytes"] == "\(99 * 4_096)")
    }

    @Test func aWorkerThatComesBackCostsAPauseOnly() async throws {
        let fixture = try GatewayFixture()
        let video = fixture.putVideo(bytes: 1_000_000)
        fixture.storage.onRead(InMemoryStorage.failure(.unavailable) { (50...58).contains($0) })
        let response = try await answer(fixture)
        #expect(response.isComplete)
        #expect(response.body == video)
        #expect(fixture.log.requests.first?["outcome"] == "complete")
    }
}
