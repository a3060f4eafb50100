import Domain
import NIOCore
import TestKit
import Testing

@testable import VideoStreaming

/// Uploads over a real socket, the services in memory: what is refused, and that nothing of it stays behind.
@Suite(.timeLimit(.minutes(2))) struct UploadRefusalTests {
    @Test func theBodyIsComparedWithItsDigestBeforeItIsKept() async throws {
        let fixture = try GatewayFixture()
        let other = Upload.digest(GatewayFixture.pattern(9_999))
        let response = try await Upload.put(
            fixture, GatewayFixture.pattern(10_000), ["Content-Digest: sha-256=:\(other):"])
        Upload.expect(response, is: 422, "SHA-256")
        #expect(fixture.uploads.counts.commits == 0)
    }

    @Test func aBodyOverTheLimitIsRefusedBeforeItIsSent() async throws {
        var fixture = try GatewayFixture()
        fixture.configuration.maxUploadBytes = 10_000
        Upload.expect(try await Upload.put(fixture, ByteBuffer(), length: 10_001), is: 413, "10000")
        #expect(fixture.uploads.counts.begins == 0)
        #expect(try await Upload.put(fixture, GatewayFixture.pattern(10_000)).status == 204)
    }

    @Test func aBodyInChunksOverTheLimitIsRefusedOnItsWay() async throws {
        var fixture = try GatewayFixture()
        fixture.configuration.maxUploadBytes = 10_000
        let served = fixture
        try await served.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request(
                    "PUT", Upload.path, [GatewayFixture.authorization, "Transfer-Encoding: chunked"])
                for _ in 0..<3 {
                    try await connection.send("1000\r\n")
                    try await connection.send(GatewayFixture.pattern(4_096))
                    try await connection.send("\r\n")
                }
                Upload.expect(try await connection.response(), is: 413, "10000")
            }
            try await Upload.expectNothingBehind(served)
        }
    }

    /// Storage takes three blocks, and the gateway would take more.
    @Test func aBodyInChunksOverWhatStorageTakesIsRefusedOnItsWay() async throws {
        let fixture = try GatewayFixture(plan: UploadPlan(blockBytes: 4_096, maxBlocks: 3))
        @Sendable func send(_ sizes: [Int], _ port: Int) async throws -> RawHTTPResponse {
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request(
                    "PUT", Upload.path, [GatewayFixture.authorization, "Transfer-Encoding: chunked"])
                for size in sizes {
                    try await connection.send("\(String(size, radix: 16))\r\n")
                    try await connection.send(GatewayFixture.pattern(size))
                    try await connection.send("\r\n")
                }
                try await connection.send("0\r\n\r\n")
                return try await connection.response()
            }
        }
        try await fixture.serve { port in
            Upload.expect(try await send([4_096, 4_096, 4_096, 1], port), is: 413, "12288")
            try await Upload.expectNothingBehind(fixture)
            #expect(try await send([4_096, 4_096, 4_096], port).status == 204)
        }
        Upload.expect(try await Upload.put(fixture, ByteBuffer(), length: 12_289), is: 413, "12288")
    }

    @Test func aBodyThatStopsIsTimedOut() async throws {
        var fixture = try GatewayFixture()
        fixture.configuration.uploadIdleSeconds = 0.3
        let served = fixture
        try await served.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request(
                    "PUT", Upload.path, [GatewayFixture.authorization, "Content-Length: 100000"])
                try await connection.send(GatewayFixture.pattern(20_000))
                let response = try await connection.response()
                Upload.expect(response, is: 408, "Nothing came")
                #expect(response["connection"] == "close")
            }
            try await Upload.expectNothingBehind(served)
        }
    }

    @Test(arguments: [true, false])
    func aBodyThatEndsTooEarlyIsNotKept(isChunked: Bool) async throws {
        let fixture = try GatewayFixture()
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                let length = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: 100000"
                try await connection.request("PUT", Upload.path, [GatewayFixture.authorization, length])
                if isChunked { try await connection.send("4e20\r\n") }
                try await connection.send(GatewayFixture.pattern(20_000))
                if isChunked { try await connection.send("\r\n") }
                connection.finishSending()
                #expect(try await connection.response().status == 400)
            }
            try await Upload.expectNothingBehind(fixture)
        }
    }

    @Test(arguments: [true, false])
    func aClientThatGoesAwayLeavesNothingBehind(isReset: Bool) async throws {
        let fixture = try GatewayFixture()
        try await fixture.serve { port in
            for isChunked in [true, false] {
                try? await RawHTTPConnection.connected(toPort: port) { connection in
                    let length = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: 100000"
                    try await connection.request("PUT", Upload.path, [GatewayFixture.authorization, length])
                    if isChunked { try await connection.send("4e20\r\n") }
                    try await connection.send(GatewayFixture.pattern(20_000))
                    if isChunked { try await connection.send("\r\n") }
                    for _ in 0..<2_000 where fixture.uploads.openUploads.bytes < 16_384 {
                        try await Task.sleep(for: .milliseconds(5))
                    }
                    if isReset { try await connection.reset() }
                }
                try await Upload.expectNothingBehind(fixture)
            }
        }
        #expect(fixture.uploads.counts.aborts == 2)
    }

    @Test func bytesAfterTheAnnouncedEndAreNoPartOfTheVideo() async throws {
        let fixture = try GatewayFixture()
        let body = GatewayFixture.pattern(10_000)
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request(
                    "PUT", Upload.path, [GatewayFixture.authorization, "Content-Length: 10000"])
                try await connection.send(body)
                try await connection.send("\u{1}and more\r\n\r\n")
                #expect(try await connection.response().status == 204)
                #expect(try await connection.response().status == 400)
                #expect(try await connection.rest().readableBytes == 0)
            }
        }
        #expect(try await Upload.bytes(in: fixture) == body)
    }

    @Test func theSecondOfTwoUploadsIsAConflict() async throws {
        let fixture = try GatewayFixture()
        let (first, second) = (GatewayFixture.pattern(50_000), ByteBuffer(repeating: 7, count: 30_000))
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { slow in
                try await slow.request("PUT", Upload.path, [GatewayFixture.authorization, "Content-Length: 50000"])
                try await slow.send(first.getSlice(at: 0, length: 20_000) ?? ByteBuffer())
                for _ in 0..<2_000 where fixture.uploads.counts.begins == 0 {
                    try await Task.sleep(for: .milliseconds(5))
                }
                try await RawHTTPConnection.connected(toPort: port) { quick in
                    try await quick.request(
                        "PUT", Upload.path, [GatewayFixture.authorization, "Content-Length: 30000"])
                    try await quick.send(second)
                    #expect(try await quick.response().status == 204)
                }
                try await slow.send(first.getSlice(at: 20_000, length: 30_000) ?? ByteBuffer())
                Upload.expect(try await slow.response(), is: 409, "Another upload")
            }
        }
        #expect(try await Upload.bytes(in: fixture) == second)
        #expect(fixture.uploads.openUploads.count == 0)
    }

    @Test(
        arguments: [
            (.unavailable, 503), (.overloaded, 503), (.deadlineExceeded, 504), (.internal, 500), (.notFound, 503),
            (.invalidArgument, 500), (.conflict, 409), (.tooLarge, 413),
        ] as [(ServiceError.Code, Int)])
    func aFailureOfStorageIsAProblemAndLeavesNothingBehind(code: ServiceError.Code, status: Int) async throws {
        for call in [InMemoryUploads.Call.stage, .commit] {
            var fixture = try GatewayFixture()
            fixture.configuration.stallSeconds = 0.3
            fixture.configuration.uploadCommitSeconds = 0.3
            fixture.uploads.on(call, InMemoryStorage.failure(code))
            let served = fixture
            let body = GatewayFixture.pattern(10_000)
            try await served.serve { port in
                try await RawHTTPConnection.connected(toPort: port) { connection in
                    try await connection.request(
                        "PUT", Upload.path, [GatewayFixture.authorization, "Content-Length: 10000"])
                    try await connection.send(body)
                    let response = try await connection.response()
                    // What is committed is what was staged: then it is a part that has changed.
                    Upload.expect(response, is: call == .commit && code == .invalidArgument ? 502 : status)
                    #expect(response["retry-after"] == (status == 503 ? "1" : nil))
                }
                try await Upload.expectNothingBehind(served)
            }
        }
    }

    @Test(arguments: [
        (["Content-Range: bytes 0-9/10"], 400), (["Content-Encoding: gzip"], 415),
        (["Content-Digest: sha-256=x"], 400), (["x-checksum-sha256: x"], 400), (["If-Match: *"], 412),
        (["If-Match: \"v1\""], 412),
    ])
    func whatCannotBeDoneIsRefused(fields: [String], status: Int) async throws {
        let fixture = try GatewayFixture()
        Upload.expect(try await Upload.put(fixture, GatewayFixture.pattern(10), fields), is: status)
        #expect(fixture.uploads.counts.commits == 0)
    }

    @Test(arguments: [
        ("If-Match: \"v1\"", 204), ("If-Match: \"v0\"", 412), ("If-Match: *", 204), ("If-None-Match: *", 412),
        ("If-None-Match: \"v0\"", 204), ("If-None-Match: \"v1\"", 412),
    ])
    func conditionsAreAboutTheBytesThatAreThere(field: String, status: Int) async throws {
        let fixture = try GatewayFixture()
        let before = fixture.putVideo(bytes: 10)
        let body = GatewayFixture.pattern(20)
        #expect(try await Upload.put(fixture, body, [field]).status == status)
        #expect(try await Upload.bytes(in: fixture) == (status == 204 ? body : before))
    }

    @Test(arguments: [nil, "Authorization: Bearer a-token-of-twenty-byteZ", "Authorization: Basic YTpi"])
    func withoutTheTokenNothingIsDone(authorization: String?) async throws {
        let fixture = try GatewayFixture()
        Upload.expect(try await Upload.put(fixture, GatewayFixture.pattern(10), authorization: authorization), is: 401)
        #expect(fixture.uploads.counts == InMemoryUploads.Counts())
    }

    @Test func aGatewayWithoutATokenTakesNothing() async throws {
        var fixture = try GatewayFixture()
        fixture.configuration.writeToken = nil
        Upload.expect(try await Upload.put(fixture, GatewayFixture.pattern(10)), is: 403, "WRITE_TOKEN")
    }

    @Test(arguments: [Video.State.deleted, nil])
    func aVideoThatIsNotThereTakesNothing(state: Video.State?) async throws {
        let fixture = try GatewayFixture()
        fixture.metadata.put(
            Video(id: fixture.id, videoPath: fixture.key.description, state: state ?? .ready))
        if state == nil {
            try await fixture.metadata.delete(
                fixture.id, revision: nil, command: .random(), deadline: .after(.seconds(1)))
        }
        Upload.expect(try await Upload.put(fixture, GatewayFixture.pattern(10)), is: 404)
        #expect(fixture.uploads.counts.begins == 0)
    }
}
