import Crypto
import Domain
import Foundation
import NIOCore
import TestKit
import Testing

@testable import VideoStreaming

/// Uploads over a real socket, the services in memory: what is kept.
@Suite(.timeLimit(.minutes(2))) struct UploadSocketTests {
    @Test(arguments: [0, 1, 4_095, 4_096, 4_097, 1_000_003])
    func anUploadIsKeptByteForByte(size: Int) async throws {
        let fixture = try GatewayFixture()
        let body = GatewayFixture.pattern(size)
        let response = try await Upload.put(
            fixture, body, ["Content-Type: video/webm", "Content-Digest: sha-256=:\(Upload.digest(body)):"])
        #expect(response.status == 204, "\(response.text)")
        let facts = try await fixture.storage.stat(fixture.key, deadline: .after(.seconds(1)))
        #expect(response["etag"] == "\"\(facts.version)\"")
        #expect(facts.size == Int64(size) && facts.contentType == "video/webm")
        #expect(try await Upload.bytes(in: fixture) == body)
        #expect(fixture.uploads.checksums == [ContentDigest(SHA256.hash(data: Data(body.readableBytesView))).checksum])
        #expect(fixture.metadata.videos.first?.content?.version == facts.version)
        #expect(fixture.uploads.openUploads.count == 0)
    }

    @Test func aVideoThatAwaitedItsUploadIsReadyThen() async throws {
        let fixture = try GatewayFixture()
        fixture.metadata.put(Video(id: fixture.id, videoPath: fixture.key.description, state: .awaitingUpload))
        let response = try await Upload.put(fixture, GatewayFixture.pattern(10_000))
        #expect(response.status == 201)
        #expect(response["location"] == Upload.path)
        #expect(response.text.contains(#""state":"ready""#) && response.text.contains(#""size":10000"#))
        #expect(fixture.metadata.videos.first?.state == .ready)
    }

    @Test(arguments: [1, 4_096, 500_000])
    func aBodyInChunksIsKept(chunk: Int) async throws {
        let fixture = try GatewayFixture()
        let body = GatewayFixture.pattern(chunk * 3 + 1)
        let response = try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request(
                    "PUT", Upload.path, [GatewayFixture.authorization, "Transfer-Encoding: chunked"])
                var rest = body
                while let piece = rest.readSlice(length: min(chunk, rest.readableBytes)), piece.readableBytes > 0 {
                    try await connection.send(String(piece.readableBytes, radix: 16) + "\r\n")
                    try await connection.send(piece)
                    try await connection.send("\r\n")
                }
                try await connection.send("0\r\n\r\n")
                return try await connection.response()
            }
        }
        #expect(response.status == 204)
        #expect(try await Upload.bytes(in: fixture) == body)
    }

    @Test func severalUploadsOnOneConnectionAreKept() async throws {
        let fixture = try GatewayFixture()
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                for size in [10_000, 0, 4_096, 1] {
                    let body = GatewayFixture.pattern(size)
                    try await connection.request(
                        "PUT", Upload.path, [GatewayFixture.authorization, "Content-Length: \(size)"])
                    try await connection.send(body)
                    #expect(try await connection.response().status == 204)
                    #expect(try await Upload.bytes(in: fixture) == body)
                }
            }
        }
    }

    @Test func aClientThatAsksWhetherItMaySendIsTold() async throws {
        let fixture = try GatewayFixture()
        let body = GatewayFixture.pattern(5_000)
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request(
                    "PUT", Upload.path,
                    [GatewayFixture.authorization, "Content-Length: 5000", "Expect: 100-continue"])
                #expect(try await connection.head().status == 100)
                try await connection.send(body)
                #expect(try await connection.response().status == 204)
            }
        }
        #expect(try await Upload.bytes(in: fixture) == body)
    }

    @Test func aClientThatMayNotSendIsToldBeforeItSends() async throws {
        let fixture = try GatewayFixture()
        try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request("PUT", Upload.path, ["Content-Length: 5000", "Expect: 100-continue"])
                let response = try await connection.response()
                Upload.expect(response, is: 401)
                #expect(response["connection"] == "close")
                #expect(response["www-authenticate"] == "Bearer")
            }
        }
        #expect(fixture.uploads.counts.begins == 0)
    }

    @Test func blocksGoOutSideBySideButNotTooMany() async throws {
        let fixture = try GatewayFixture()
        fixture.uploads.on(.stage, InMemoryStorage.delay(.milliseconds(5)))
        #expect(try await Upload.put(fixture, GatewayFixture.pattern(400_000)).status == 204)
        #expect(fixture.uploads.counts.maxStagesInFlight == 8)
    }

    @Test func theBytesInMemoryAreBounded() async throws {
        var fixture = try GatewayFixture()
        fixture.configuration.uploadBytes = 3 * 4_096
        fixture.uploads.on(.stage, InMemoryStorage.delay(.milliseconds(2)))
        let served = fixture
        let bodies = GatewayFixture.pattern(100_000)
        let statuses = try await served.serve { port in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await RawHTTPConnection.connected(toPort: port) { connection in
                            try await connection.request(
                                "PUT", Upload.path, [GatewayFixture.authorization, "Content-Length: 100000"])
                            try await connection.send(bodies)
                            return try await connection.response().status
                        }
                    }
                }
                return try await group.reduce(into: [Int]()) { $0.append($1) }
            }
        }
        #expect(statuses.allSatisfy { [204, 409].contains($0) } && statuses.contains(204))
        #expect(fixture.uploads.counts.maxStagesInFlight <= 3)
        #expect(try await Upload.bytes(in: fixture) == bodies)
    }

    @Test func aBlockThatIsNotTakenAtOnceIsSentAgain() async throws {
        let fixture = try GatewayFixture()
        fixture.uploads.on(.stage, InMemoryStorage.failure(.unavailable) { $0 % 3 == 1 && $0 < 20 })
        let body = GatewayFixture.pattern(100_000)
        #expect(try await Upload.put(fixture, body).status == 204)
        #expect(try await Upload.bytes(in: fixture) == body)
    }

    @Test func aCommitWhoseAnswerIsLostIsAskedForAgain() async throws {
        let fixture = try GatewayFixture()
        let first = Tally()
        fixture.uploads.on(.commitAnswer) { (_, _) throws(ServiceError) in
            if first.up() == 1 { throw ServiceError(.unavailable, "The answer is lost.") }
        }
        let body = GatewayFixture.pattern(10_000)
        #expect(try await Upload.put(fixture, body).status == 204)
        #expect(fixture.uploads.counts.commits == 2)
        #expect(try await Upload.bytes(in: fixture) == body)
    }
}
