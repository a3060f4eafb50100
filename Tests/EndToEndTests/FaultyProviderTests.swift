import Foundation
import NIOCore
import TestKit
import Testing

extension EndToEndTests {
    /// A cloud that fails now and then, behind real processes: right bytes or a clear error, and what was acknowledged is whole.
    struct FaultyProviderTests {
        private static let seed: UInt64 = 20_263
        private static let share = 0.1
        private static let mebibyte: Int64 = 1 << 20
        private static var films: Int { TestEnvironment.longTestsAreWanted ? 40 : 8 }
        private static let gatewaySettings = [
            "CHUNK_DEADLINE_SECONDS": "2", "STALL_SECONDS": "8", "UPLOAD_COMMIT_SECONDS": "15",
        ]

        /// moto checks no signature, so what is changed on its way there is kept as it comes. Amazon's own S3 refuses it.
        private static let faults =
            FaultyService.Fault.allCases.filter { $0 != .flippedRequest }
            // More often than the others: nothing but a checksum notices it.
            + [FaultyService.Fault](repeating: .flippedAnswer, count: 4)

        @Test func whatIsReadIsRightAndWhatWasAcknowledgedIsWhole() async throws {
            let meaning = "the address of a server that speaks as S3 does"
            let server = try TestEnvironment.value("S3_TEST_ENDPOINT", meaning: meaning)
            let bucket = "end-to-end-\(UUID().uuidString.lowercased())"
            try await makeBucket(bucket, at: server)
            try await FaultyService.run(
                before: server, share: Self.share, faults: Self.faults, seed: Self.seed
            ) { service in
                let layout = TestStack.Layout(
                    gatewaySettings: Self.gatewaySettings,
                    storageSettings: Self.settings("http://127.0.0.1:\(service.port)", bucket))
                try await TestStack.running(layout) { stack in
                    let tally = Tally()
                    let client = WritingClient(port: try stack.gateway().port)
                    let films = try await uploadAndRead(client, tally)
                    tellFigure("with every tenth request failing: \(tally.text)")
                    #expect(tally.count("ranges read") > Self.films && films.count > Self.films / 2)

                    // What is there, read without faults.
                    let worker = try #require(stack.all(.storage).first)
                    try await stack.start(.storage, Self.settings(server, bucket)).ready()
                    #expect(try await worker.stop() == .code(0))
                    for (id, content) in films {
                        let response = try #require(try await client.send("GET", "/videos/\(id)/content").response)
                        #expect(response.status == 200 && response.body == content.buffer(), "\(id)")
                    }
                }
            }
        }

        private static func settings(_ endpoint: String, _ bucket: String) -> [String: String] {
            [
                "STORAGE_PROVIDER": "s3", "S3_ENDPOINT": endpoint, "S3_BUCKET": bucket, "AWS_ACCESS_KEY_ID": "tests",
                "AWS_SECRET_ACCESS_KEY": "secret",
            ]
        }

        private func makeBucket(_ name: String, at server: String) async throws {
            let port = try #require(URL(string: server)?.port)
            let scope = "tests/20260101/us-east-1/s3/aws4_request"
            let scheme = "AWS4-HMAC-SHA256 Credential=\(scope), SignedHeaders=host, Signature=0"
            try await RawHTTPConnection.connected(toPort: port) { connection in
                try await connection.request(
                    "PUT", "/\(name)", ["Authorization: \(scheme)", "Content-Length: 0"])
                #expect(try await connection.head().status == 200)
            }
        }

        /// - Returns: What was acknowledged.
        private func uploadAndRead(_ client: WritingClient, _ tally: Tally) async throws -> [String: PatternBytes] {
            try await withThrowingTaskGroup(of: (String, PatternBytes)?.self) { group in
                for number in 0..<Self.films {
                    group.addTask {
                        let content = PatternBytes(
                            seed: UInt64(number) << 40, count: 6 * Self.mebibyte + Int64(number) * 1_234_567)
                        guard let id = try await self.uploaded(content, client, tally) else { return nil }
                        try await self.readRanges(of: id, content, seed: UInt64(number), client, tally)
                        return (id, content)
                    }
                }
                return try await group.compactMap(\.self).reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
        }

        private func uploaded(
            _ content: PatternBytes, _ client: WritingClient, _ tally: Tally
        ) async throws -> String? {
            let made = try #require(try await client.send("POST", "/videos", json: "{}").response)
            let id = try made.json(VideoFacts.self).id
            for _ in 0..<3 {
                let delivery = try await client.put(id, .init(bytes: content.buffer()))
                switch delivery.status {
                case 201, 204:
                    tally.note("uploads acknowledged")
                    return id
                case 409, 502, 503, 504:
                    // 409: the attempt before, whose end was not heard of, was finished meanwhile.
                    tally.note("uploads refused (\(delivery.status))")
                    let problem = try delivery.response?.json(ProblemFacts.self)
                    #expect(problem?.status == delivery.status)
                default:
                    Issue.record("PUT: \(delivery.status) \(delivery.response?.text ?? "")")
                }
            }
            return nil
        }

        private func readRanges(
            of id: String, _ content: PatternBytes, seed: UInt64, _ client: WritingClient, _ tally: Tally
        ) async throws {
            var random = SeededRandom(seed: Self.seed + seed)
            for _ in 0..<12 {
                let first = Int64.random(in: 0..<content.count, using: &random)
                let last = min(content.count - 1, first + Int64.random(in: 0..<2 * Self.mebibyte, using: &random))
                let delivery = try await client.send(
                    "GET", "/videos/\(id)/content", ["Range: bytes=\(first)-\(last)"])
                guard let response = delivery.response else {
                    Issue.record("GET without any answer")
                    continue
                }
                switch response.status {
                case 206:
                    // One that was cut is right as far as it goes.
                    let count = response.isComplete ? last - first + 1 : Int64(response.body.readableBytes)
                    #expect(response.body == content.buffer(from: first, count: count), "\(id) from \(first)")
                    tally.note(response.isComplete ? "ranges read" : "ranges cut")
                case 502, 503, 504: tally.note("ranges refused (\(response.status))")
                default: Issue.record("GET: \(response.status) \(response.text.prefix(300))")
                }
            }
        }
    }
}
