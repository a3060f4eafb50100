import Domain
import NIOCore
import TestKit
import Testing

@testable import VideoStreaming

/// The gateway over a real socket, its services in memory.
struct GatewaySocketTests {
    @Test func aWholeVideoArrivesByteForByte() async throws {
        let fixture = try GatewayFixture()
        let video = fixture.putVideo(bytes: 1_000_003)
        let response = try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request("GET", GatewayFixture.target)
                return try await connection.response()
            }
        }
        #expect(response.status == 200)
        #expect(response["content-length"] == "1000003")
        #expect(response["etag"] == "\"v1\"")
        #expect(response["content-type"] == "video/mp4")
        #expect(response["accept-ranges"] == "bytes")
        #expect(response.body == video)
    }
}
