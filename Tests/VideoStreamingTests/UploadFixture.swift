import Crypto
import Domain
import Foundation
import NIOCore
import TestKit
import Testing

@testable import VideoStreaming

/// What the tests of uploads have in common: sends bodies over a socket and looks at what is kept.
enum Upload {

    static let path = "/videos/\(GatewayFixture.idText)/content"

    /// Sends a head and a body, and reads the answer.
    static func put(
        _ fixture: GatewayFixture, _ body: ByteBuffer, _ fields: [String] = [], length: Int? = nil,
        authorization: String? = GatewayFixture.authorization, pieces: Int = 50_000
    ) async throws -> RawHTTPResponse {
        let length = length ?? body.readableBytes
        let head = [authorization, "Content-Length: \(length)"].compactMap(\.self) + fields
        return try await fixture.serve { port in
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request("PUT", path, head)
                var rest = body
                while let piece = rest.readSlice(length: min(pieces, rest.readableBytes)), piece.readableBytes > 0 {
                    try await connection.send(piece)
                }
                return try await connection.response()
            }
        }
    }

    /// Nothing can be seen of an upload, and storage keeps nothing of it.
    static func expectNothingBehind(_ fixture: GatewayFixture) async throws {
        for _ in 0..<2_000 where fixture.uploads.openUploads.count > 0 {
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(fixture.uploads.openUploads == (0, 0))
        let facts = try? await fixture.storage.stat(fixture.key, deadline: .after(.seconds(1)))
        #expect(facts == nil)
        #expect(fixture.metadata.committed.isEmpty)
    }

    static func expect(_ response: RawHTTPResponse, is status: Int, _ words: String = "") {
        #expect(response.status == status, "\(response.text)")
        #expect(response["content-type"] == "application/problem+json")
        // Nothing is in no text, says Foundation.
        #expect(words.isEmpty || response.text.contains(words), "\(response.text)")
    }

    static func bytes(in fixture: GatewayFixture) async throws -> ByteBuffer {
        let deadline = Deadline.after(.seconds(5))
        let facts = try await fixture.storage.stat(fixture.key, deadline: deadline)
        var joined = ByteBuffer()
        while joined.readableBytes < facts.size {
            let address = ChunkAddress(
                key: fixture.key, version: facts.version, index: Int64(joined.readableBytes / facts.chunkBytes),
                chunkBytes: facts.chunkBytes)
            joined.writeImmutableBuffer(try await fixture.storage.read(address, deadline: deadline).bytes)
        }
        return joined
    }

    static func digest(_ bytes: ByteBuffer) -> String {
        Data(SHA256.hash(data: Data(bytes.readableBytesView))).base64EncodedString()
    }
}
