import Foundation
import NIOCore
import TestKit
import Testing

extension EndToEndTests {
    /// A storage folder that is full, on a file system of its own.
    struct FullDiskTests {
        private static let mebibyte: Int64 = 1 << 20
        private static let diskBytes = 32 * mebibyte
        private static let layout = TestStack.Layout(
            gatewaySettings: ["STALL_SECONDS": "2", "UPLOAD_COMMIT_SECONDS": "5"],
            storageSettings: ["RETIRED_BLOB_SECONDS": "1", "COLLECT_SECONDS": "1"], storageDiskBytes: diskBytes)

        @Test func aFullDiskIsAClearErrorAndHarmsNothing() async throws {
            try await TestStack.running(Self.layout) { stack in
                let worker = try #require(stack.all(.storage).first)
                let folder = SmallDisk.folder(stack.storageFolder, of: worker.process)
                let client = WritingClient(port: try stack.gateway().port)
                let old = PatternBytes(seed: 1 << 40, count: 4 * Self.mebibyte + 3)
                let new = PatternBytes(seed: 2 << 40, count: 8 * Self.mebibyte + 1)
                let film = try await made(client)
                #expect(try await client.put(film, .init(bytes: old.buffer())).status == 201)
                let other = try await made(client)

                // 3 MiB are left: an upload of 8 begins, and cannot go on.
                let filler = folder.appendingPathComponent("filler")
                let fillerBytes = Int(Self.diskBytes - old.count - 3 * Self.mebibyte)
                try Data(count: fillerBytes).write(to: filler)
                for (id, isChunked) in [(film, false), (other, true)] {
                    let start = ContinuousClock.now
                    let delivery = try await client.put(id, .init(bytes: new.buffer(), isChunked: isChunked))
                    let response = try #require(delivery.response)
                    let problem = try response.json(ProblemFacts.self)
                    #expect(response.status == 503 && response["retry-after"] == "1")
                    #expect(problem.code == "unavailable" && problem.detail.contains("is full"), "\(problem)")
                    tellFigure("a full disk was told after \(start.duration(to: .now)): \(problem.detail)")
                }
                #expect(try await bytes(of: film, client) == old.buffer())
                #expect(try await client.send("GET", "/videos/\(other)/content").status == 404)
                #expect(worker.process.exit == nil)
                try await worker.ready()
                // What the failed uploads had taken is free again.
                try await eventually("only the film and the filler are left", within: .seconds(30)) {
                    try await stack.remains(in: folder).unnamedFiles == ["filler"]
                }

                try FileManager.default.removeItem(at: filler)
                #expect(try await client.put(film, .init(bytes: new.buffer())).status == 204)
                #expect(try await client.put(other, .init(bytes: new.buffer(), isChunked: true)).status == 201)
                #expect(try await bytes(of: film, client) == new.buffer())
                #expect(try await bytes(of: other, client) == new.buffer())
                try await eventually("only the two films are left", within: .seconds(30)) {
                    let remains = try await stack.remains(in: folder)
                    return remains.unnamedFiles.isEmpty && remains.lostObjects.isEmpty
                }
            }
        }

        private func made(_ client: WritingClient) async throws -> String {
            let response = try #require(try await client.send("POST", "/videos", json: "{}").response)
            return try response.json(VideoFacts.self).id
        }

        private func bytes(of id: String, _ client: WritingClient) async throws -> ByteBuffer {
            let response = try #require(try await client.send("GET", "/videos/\(id)/content").response)
            try #require(response.status == 200 && response.isComplete)
            return response.body
        }
    }
}
