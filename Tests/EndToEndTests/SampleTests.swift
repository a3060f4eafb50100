import Foundation
import NIOCore
import TestKit
import Testing

extension EndToEndTests {
    /// The main job: a video comes in through the operator's tool, and goes out through the gateway.
    struct SampleTests {
        private struct Record: Decodable {
            let id: String
            let videoPath: String
            let title: String?
        }

        private struct Page: Decodable {
            let videos: [Record]
            let next: String?
        }

        private struct Sample {
            static let id = "6a0c1e5f9b7d4e2a83f05c11"
            static let target = "/video?id=\(id)"
            let bytes: ByteBuffer
            var size: Int { bytes.readableBytes }

            init() throws {
                bytes = ByteBuffer(
                    bytes: try Data(contentsOf: TestEnvironment.samples.appendingPathComponent("sample.mp4")))
            }
        }

        @Test func anImportedVideoIsListedAndPlaysByteForByte() async throws {
            try await TestStack.running { stack in
                let sample = try Sample()
                let empty = try await stack.millrace("list")
                #expect(empty.exit == .code(0))
                #expect(empty.output.contains("There are no videos yet"))

                let records = TestEnvironment.samples.appendingPathComponent("videos.json").path
                let imported = try await stack.millrace("import", records)
                #expect(imported.exit == .code(0), "\(imported.errors)")
                #expect(imported.output.hasPrefix(Sample.id))

                async let listed = stack.millrace("list")
                async let examined = stack.millrace("doctor")
                try await isInTheLists(stack)
                try await isAnsweredInHTTPsTerms(stack, sample)
                try await playsInRandomRanges(stack, sample)

                let list = try await listed
                #expect(list.exit == .code(0), "\(list.errors)")
                #expect(list.output.hasPrefix("\(Sample.id)  ready"))
                #expect(list.output.contains("sample.mp4  The mill wheel"))
                let doctor = try await examined
                #expect(doctor.exit == .code(0), "\(doctor.output)\(doctor.errors)")
                #expect(doctor.output.contains("Everything is well."))
            }
        }

        private func isInTheLists(_ stack: TestStack) async throws {
            let list = try await stack.ask("/videos")
            #expect(list.status == 200)
            let page = try JSONDecoder().decode(Page.self, from: Data(list.body.readableBytesView))
            #expect(page.videos.map(\.id) == [Sample.id])
            #expect(page.next == nil)

            let one = try await stack.ask("/videos/\(Sample.id)")
            #expect(one.status == 200)
            let record = try JSONDecoder().decode(Record.self, from: Data(one.body.readableBytesView))
            #expect(record.id == Sample.id)
            #expect(record.videoPath == "sample.mp4")
            #expect(record.title == "The mill wheel")
        }

        private func isAnsweredInHTTPsTerms(_ stack: TestStack, _ sample: Sample) async throws {
            let whole = try await stack.ask(Sample.target)
            #expect(whole.status == 200)
            #expect(whole["content-length"] == "\(sample.size)")
            #expect(whole["content-type"] == "video/mp4")
            #expect(whole["accept-ranges"] == "bytes")
            #expect(whole.body == sample.bytes)
            #expect(try await stack.ask("/videos/\(Sample.id)/content").body == sample.bytes)

            let head = try await stack.ask(Sample.target, method: "HEAD")
            #expect(head.status == 200)
            #expect(head["content-length"] == "\(sample.size)")
            let tag = try #require(whole["etag"])
            #expect(head["etag"] == tag)
            #expect(head["last-modified"] == whole["last-modified"])

            let known = try await stack.ask(Sample.target, ["If-None-Match: \(tag)"])
            #expect(known.status == 304)
            #expect(known["etag"] == tag)
            let other = try await stack.ask(Sample.target, ["If-None-Match: \"another\""])
            #expect(other.status == 200)
            #expect(other.body == sample.bytes)

            let beyond = try await stack.ask(Sample.target, ["Range: bytes=\(sample.size)-"])
            #expect(beyond.status == 416)
            #expect(beyond["content-range"] == "bytes */\(sample.size)")
            let malformed = try await stack.ask(Sample.target, ["Range: bytes=2-1"])
            #expect(malformed.status == 200)
            #expect(malformed.body == sample.bytes)
            let end = try await stack.ask(Sample.target, ["Range: bytes=-1000", "If-Range: \(tag)"])
            #expect(end.status == 206)
            #expect(end.body == sample.bytes.getSlice(at: sample.size - 1_000, length: 1_000))
        }

        /// 1,000 ranges over eight connections that are kept open, most of them as short as a player's first questions.
        private func playsInRandomRanges(_ stack: TestStack, _ sample: Sample) async throws {
            let port = try stack.gateway().port
            try await withThrowingTaskGroup(of: Void.self) { viewers in
                for viewer in 0..<8 {
                    viewers.addTask {
                        var random = SeededRandom(seed: UInt64(viewer))
                        try await RawHTTPConnection.connected(toPort: port) { connection in
                            for request in 0..<125 {
                                let first = Int.random(in: 0..<sample.size, using: &random)
                                let reach = request % 5 == 0 ? sample.size : 100_000
                                let last = min(sample.size - 1, first + Int.random(in: 0..<reach, using: &random))
                                try await connection.request("GET", Sample.target, ["Range: bytes=\(first)-\(last)"])
                                let response = try await connection.response()
                                try #require(response.status == 206)
                                #expect(response["content-range"] == "bytes \(first)-\(last)/\(sample.size)")
                                let isRight =
                                    response.body == sample.bytes.getSlice(at: first, length: last - first + 1)
                                try #require(isRight, "bytes \(first) to \(last), viewer \(viewer)")
                            }
                        }
                    }
                }
                try await viewers.waitForAll()
            }
        }
    }
}
