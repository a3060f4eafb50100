import Foundation
import Mongo
import NIOCore
import TestKit
import Testing

extension EndToEndTests {
    /// Records that another program has put into the database, good ones and bad ones.
    struct BadRecordTests {
        private static let size: Int64 = 700_001

        @Test func aRecordOfJustIdAndPathPlaysAndABadOneHarmsNobody() async throws {
            try await TestStack.running { stack in
                let video = try await stack.putVideo("folder of films.mp4", bytes: Self.size, seed: 3)
                try await plays(video, stack)
                try await pathsThatLeadOutAreRefused(stack)
                try await plays(video, stack)
                try await recordsOfAnotherShapeAreDefects(stack)
                try await whatIsNotThereIsNotFound(stack, video)
                try await plays(video, stack)
                for service in stack.all() { #expect(service.process.exit == nil, "\(service.name) ended") }
            }
        }

        private func plays(_ video: TestVideo, _ stack: TestStack) async throws {
            let response = try await stack.ask(video.target)
            #expect(response.status == 200)
            #expect(response["content-type"] == "video/mp4")
            #expect(response.body.readableBytes == Int(Self.size))
            #expect(try video.opened().matches(response.body, at: 0))
        }

        /// Each path would reach a file that is there, and whose text must not come out.
        private func pathsThatLeadOutAreRefused(_ stack: TestStack) async throws {
            let secret = "nobody may read this"
            let outside = stack.storageFolder.deletingLastPathComponent()
            let file = outside.appendingPathComponent("secret.txt")
            try secret.write(to: file, atomically: true, encoding: .utf8)
            let files = FileManager.default
            try files.createSymbolicLink(
                at: stack.storageFolder.appendingPathComponent("link.mp4"), withDestinationURL: file)
            try files.createSymbolicLink(
                at: stack.storageFolder.appendingPathComponent("shelf"), withDestinationURL: outside)

            let paths = [
                "../secret.txt", "shelf/../../secret.txt", "./../secret.txt", file.path, "link.mp4", "shelf/secret.txt",
                "folder of films.mp4\0", "link.mp4\0.mp4", "", "..", "/", "..\\secret.txt",
            ]
            for path in paths {
                let id = try await stack.insertRecord(videoPath: path)
                for fields in [[], ["Range: bytes=0-3"]] {
                    let response = try await stack.ask("/video?id=\(id)", fields)
                    #expect(response.status == 500, "\(path.debugDescription)")
                    #expect(response["content-type"] == "application/problem+json")
                    #expect(!response.text.contains(secret))
                    #expect(!response.text.contains(outside.path))
                }
                let gateway = try stack.gateway()
                let worker = try #require(stack.all(.storage).first)
                #expect(
                    gateway.logLines(with: "refused the videoPath").contains { $0.contains(id) }
                        || worker.logLines(with: "leads out of the storage directory").contains { $0.contains(path) },
                    "the refusal of \(path.debugDescription) is not in a log")
            }
        }

        private func recordsOfAnotherShapeAreDefects(_ stack: TestStack) async throws {
            let shapes: [[(String, BSON)]] = [
                [], [("videoPath", 7)], [("videoPath", ["a.mp4"])], [("videoPath", nil)],
                [("videoPath", "a.mp4"), ("title", ["text": "x"])],
                [("videoPath", "a.mp4"), ("contentType", "text/html\r\nX: y")],
                [("videoPath", "a.mp4"), ("state", "half-baked")],
            ]
            let worker = try #require(stack.all(.metadata).first)
            for shape in shapes {
                let id = ObjectID()
                try await stack.insertRecord([("_id", .objectID(id))] + shape)
                let response = try await stack.ask("/video?id=\(id)")
                #expect(response.status == 500, "\(shape)")
                #expect(!response.text.contains("videoPath"), "details are for the log")
                #expect(!worker.logLines(with: id.description).isEmpty, "the log does not name \(id) with \(shape)")
            }
        }

        private func whatIsNotThereIsNotFound(_ stack: TestStack, _ video: TestVideo) async throws {
            let missing = try await stack.insertRecord(videoPath: "shelf of dreams/film.mp4")
            let response = try await stack.ask("/video?id=\(missing)")
            #expect(response.status == 404)
            #expect(
                response.text.contains("shelf of dreams/film.mp4")
                    || response.text.contains("shelf of dreams\\/film.mp4"))

            #expect(try await stack.ask("/video?id=\(ObjectID())").status == 404)
            #expect(try await stack.ask("/videos/\(ObjectID())").status == 404)
            for target in ["/video?id=1", "/video", "/video?id=", "/videos/x", "/video?id=\(video.id)&id=\(video.id)"] {
                #expect(try await stack.ask(target).status == 400, "\(target)")
            }
            for range in [
                "bytes=a-b", "bytes=5-2", "lines=1-2", "bytes", "bytes=--1", "bytes=99999999999999999999999-",
            ] {
                let whole = try await stack.ask(video.target, ["Range: \(range)"])
                #expect(whole.status == 200 || whole.status == 416, "\(range)")
                if whole.status == 200 { #expect(try video.opened().matches(whole.body, at: 0)) }
            }
        }
    }
}
