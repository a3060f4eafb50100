import NIOCore
import TestKit
import Testing

extension EndToEndTests {
    /// Uploads that go wrong, through real processes: a problem document that says why, and nothing left behind.
    struct UploadFaultTests {
        private static let mebibyte: Int64 = 1 << 20
        private static let maxBytes = 4 * mebibyte
        private static let gatewaySettings = [
            "MAX_UPLOAD_BYTES": "\(maxBytes)", "UPLOAD_IDLE_SECONDS": "2", "MIN_UPLOAD_BYTES_PER_SECOND": "100000",
        ]
        private static let storageSettings = [
            "ABANDONED_UPLOAD_SECONDS": "60", "RETIRED_BLOB_SECONDS": "1", "COLLECT_SECONDS": "1",
        ]
        private static let layout = TestStack.Layout(
            storageWorkers: 2, gatewaySettings: gatewaySettings, storageSettings: storageSettings)

        @Test func whatGoesWrongIsExplainedAndLeavesNothingBehind() async throws {
            try await TestStack.running(Self.layout) { stack in
                let film = try await FaultyUpload(stack, bytes: 2 * Self.mebibyte + 5)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await self.tooSlow(try await FaultyUpload(stack, bytes: 10)) }
                    group.addTask { try await self.compete(stack) }
                    group.addTask {
                        try await self.idle(film)
                        try await self.endsTooEarly(film)
                        try await self.breaksOff(film)
                        try await self.wrongDigest(film)
                        try await self.tooLong(film)
                        try await self.notAllowed(film)
                    }
                    try await group.waitForAll()
                }
                try await film.expectUntouched()
                try await stack.expectNothingLeft()
                let collected = try await stack.millrace("storage", "collect")
                #expect(collected.output.contains("Found 0 that nothing names"), "\(collected)")
            }
        }

        private func tooSlow(_ film: FaultyUpload) async throws {
            // Half of what is asked for, all the time.
            let body = WritingClient.Body(
                bytes: PatternBytes(seed: 1 << 40, count: Self.maxBytes).buffer(), pieceBytes: 10_000,
                pause: .milliseconds(200))
            let start = ContinuousClock.now
            let delivery = try await film.client.put(film.id, body)
            film.expect(delivery.response, is: 408, "less than 100000 bytes a second")
            tellFigure("an upload at half of the least rate was ended after \(start.duration(to: .now))")
            try await film.expectUntouched()
        }

        private func idle(_ film: FaultyUpload) async throws {
            try await film.begin("Content-Length: 3000000") { connection in
                try await connection.send(film.other.buffer(count: 1_500_000))
                film.expect(try await connection.response(), is: 408, "Nothing came for 2 seconds")
            }
        }

        private func endsTooEarly(_ film: FaultyUpload) async throws {
            try await film.begin("Content-Length: 3000000") { connection in
                try await connection.send(film.other.buffer(count: 2_999_999))
                connection.finishSending()
                film.expect(try await connection.response(), is: 400, "ended before its end")
            }
            // A chunk that is shorter than it says, and a last chunk that never comes.
            for start in ["2dc6c0\r\n", "16e360\r\n"] {
                try await film.begin("Transfer-Encoding: chunked") { connection in
                    try await connection.send(start)
                    try await connection.send(film.other.buffer(count: 1_500_000))
                    connection.finishSending()
                    #expect(try await connection.response().status == 400)
                }
            }
            try await film.begin("Transfer-Encoding: chunked") { connection in
                try await connection.send("16e360\r\n")
                try await connection.send(film.other.buffer(count: 1_500_000))
                try await connection.send("\r\nno size\r\n")
                #expect(try await connection.response().status == 400)
            }
            // What comes after the announced end is no part of it, and no request either.
            let longer = try await FaultyUpload(film.stack, bytes: 10)
            try await longer.begin("Content-Length: 1500000") { connection in
                try await connection.send(film.other.buffer(count: 1_500_000))
                try await connection.send("\u{1}and more\r\n\r\n")
                #expect(try await connection.response().status == 204)
                #expect(try await connection.response().status == 400)
            }
            #expect(try await longer.bytes() == film.other.buffer(count: 1_500_000))
        }

        private func breaksOff(_ film: FaultyUpload) async throws {
            for length in ["Content-Length: 3000000", "Transfer-Encoding: chunked"] {
                for isReset in [true, false] {
                    // A connection that was reset cannot be closed again.
                    try? await film.begin(length) { connection in
                        if length.hasPrefix("T") { try await connection.send("2dc6c0\r\n") }
                        try await connection.send(film.other.buffer(count: 2_500_000))
                        if isReset { try await connection.reset() }
                    }
                }
            }
        }

        private func wrongDigest(_ film: FaultyUpload) async throws {
            // The SHA-256 of nothing.
            let fields = [
                "Content-Digest: sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
                "x-checksum-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ]
            for field in fields {
                for isChunked in [true, false] {
                    let body = WritingClient.Body(bytes: film.other.buffer(), isChunked: isChunked)
                    let delivery = try await film.client.put(film.id, body, [field])
                    film.expect(delivery.response, is: 422, "does not match the SHA-256")
                }
            }
        }

        private func tooLong(_ film: FaultyUpload) async throws {
            // Refused before a byte is sent.
            try await film.begin("Content-Length: \(Self.maxBytes + 1)") { connection in
                film.expect(try await connection.response(), is: 413, "\(Self.maxBytes) bytes")
            }
            // Refused while it is sent. What still comes is read for a moment, so that the answer arrives, and then no more.
            try await film.begin("Transfer-Encoding: chunked") { connection in
                let chunk = film.other.buffer(count: 1_000_000)
                var sent = 0
                do {
                    for _ in 0..<100 {
                        try await connection.send("f4240\r\n")
                        try await connection.send(chunk)
                        try await connection.send("\r\n")
                        sent += 1
                        try await Task.sleep(for: .milliseconds(100))
                    }
                    Issue.record("the upload could go on for ten seconds, \(sent) MB of it")
                } catch {
                    tellFigure("an endless upload was refused at 4 MiB and ended after \(sent) MB")
                }
                film.expect(try await connection.response(), is: 413, "\(Self.maxBytes) bytes")
            }
        }

        private func notAllowed(_ film: FaultyUpload) async throws {
            for authorization in ["", "Authorization: Bearer \(TestStack.writeToken)x", "Authorization: Basic YTpi"] {
                try await film.begin("Content-Length: 3000000", authorization: authorization) { connection in
                    let response = try await connection.response()
                    film.expect(response, is: 401)
                    #expect(response["www-authenticate"] == "Bearer")
                }
            }
            // A gateway without a token takes nothing from anybody.
            let closed = try await film.stack.start(.gateway, ["WRITE_TOKEN": ""])
            try await closed.ready()
            let body = WritingClient.Body(bytes: film.other.buffer())
            let delivery = try await WritingClient(port: closed.port).put(film.id, body)
            film.expect(delivery.response, is: 403, "WRITE_TOKEN")
            #expect(try await closed.stop() == .code(0))
        }

        /// Two uploads to one video at once: one wins, the other is a conflict, and nothing is mixed.
        private func compete(_ stack: TestStack) async throws {
            for round in 0..<6 {
                let film = try await FaultyUpload(stack, bytes: 10)
                let bodies = (0..<2).map { number in
                    PatternBytes(seed: UInt64(round * 2 + number + 2) << 40, count: 3_000_000 - Int64(number) * 777)
                }
                let begun = Shared(0)
                let statuses = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
                    for (number, body) in bodies.enumerated() {
                        group.addTask {
                            try await film.race(body, begun: begun, isChunked: round % 2 == number, number)
                        }
                    }
                    return try await group.reduce(into: [0, 0]) { $0[$1.0] = $1.1 }
                }
                #expect(statuses.sorted() == [204, 409])
                let winner = try #require(statuses.firstIndex(of: 204))
                #expect(try await film.bytes() == bodies[winner].buffer())
            }
        }
    }
}

/// A video with bytes, to which uploads go that fail.
private struct FaultyUpload {
    let stack: TestStack
    let client: WritingClient
    let id: String
    /// What it has.
    let content: PatternBytes
    /// What is sent to it.
    let other = PatternBytes(seed: 1 << 50, count: 3_000_000)

    /// Makes the video, and uploads its bytes.
    init(_ stack: TestStack, bytes: Int64) async throws {
        self.stack = stack
        client = WritingClient(port: try stack.gateway().port)
        let made = try #require(try await client.send("POST", "/videos", json: "{}").response)
        id = try made.json(VideoFacts.self).id
        content = PatternBytes(seed: 0, count: bytes)
        let delivery = try await client.put(id, .init(bytes: content.buffer()))
        try #require(delivery.status == 201)
    }

    /// Sends the head of an upload and goes on by hand.
    func begin(
        _ length: String, authorization: String = WritingClient.authorization,
        _ work: (inout RawHTTPConnection) async throws -> Void
    ) async throws {
        try await RawHTTPConnection.connected(toPort: client.port) { connection in
            let fields = [authorization, length].filter { !$0.isEmpty }
            try await connection.request("PUT", "/videos/\(id)/content", fields)
            try await work(&connection)
        }
    }

    /// Sends a body of which the second half goes out only when two uploads have been begun.
    func race(_ body: PatternBytes, begun: Shared<Int>, isChunked: Bool, _ number: Int) async throws -> (Int, Int) {
        let half = body.count / 2
        let parts = [body.buffer(count: half), body.buffer(from: half)]
        let length = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(body.count)"
        let key = "videos/\(id)"
        var status = 0
        try await begin(length) { connection in
            for (index, part) in parts.enumerated() {
                if isChunked { try await connection.send(String(part.readableBytes, radix: 16) + "\r\n") }
                try await connection.send(part)
                if isChunked { try await connection.send(index == 1 ? "\r\n0\r\n\r\n" : "\r\n") }
                guard index == 0 else { continue }
                try await eventually("both uploads have begun") {
                    let uploads = try await stack.documents("uploads", of: .storage)
                    return uploads.count { $0.text("key") == key && $0.text("state") == "open" } == 2
                        || begun.value > 0
                }
                begun.change { $0 += 1 }
            }
            let response = try await connection.response()
            status = response.status
            if status != 204 { expect(response, is: 409, "Another upload") }
        }
        return (number, status)
    }

    /// What a viewer gets now.
    func bytes() async throws -> ByteBuffer {
        let response = try #require(try await client.send("GET", "/videos/\(id)/content").response)
        try #require(response.status == 200 && response.isComplete)
        return response.body
    }

    /// Nothing of what went wrong can be seen.
    func expectUntouched() async throws {
        #expect(try await bytes() == content.buffer())
    }

    /// A problem document, and why.
    func expect(_ response: RawHTTPResponse?, is status: Int, _ detail: String = "") {
        #expect(response?.status == status && response?.isComplete == true)
        #expect(response?["content-type"] == "application/problem+json")
        let document = try? response?.json(ProblemFacts.self)
        #expect(document?.status == status)
        #expect(document?.detail.contains(detail) ?? false || detail.isEmpty, "\(document?.detail ?? "")")
    }
}

/// A problem document as the gateway sends it.
struct ProblemFacts: Decodable {
    var status: Int
    var detail: String
    var code: String?
}
