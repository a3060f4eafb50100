import FoundationEssentials
import Mongo
import Testing

private struct Video: Codable, Equatable, Sendable {
    var id = ObjectID()
    var videoPath: String
    var title: String?
    var size = 0
    var tags: [String] = []
    var createdAt: Date?

    enum CodingKeys: String, CodingKey {
        case id = "_id"
        case videoPath, title, size, tags, createdAt
    }
}

private struct Parts: Equatable, Sendable {
    var rest: BSONDocument
    var bytes: [UInt8]?
}

@Suite struct MongoCollectionTests {
    @Test func whatIsInsertedIsFound() async throws {
        try await MongoFixture.withClient { client in
            let videos = client.collection("videos", of: Video.self)
            let video = Video(
                videoPath: "a.mp4", title: "Mühle \u{1F3A5} \u{0}水車", size: 1 << 40, tags: ["a", ""],
                createdAt: Date(timeIntervalSince1970: 1_700_000_000.123))
            let id = try await videos.insert(video, deadline: .soon)
            #expect(id == .objectID(video.id))
            #expect(try await videos.findOne(["_id": .objectID(video.id)], deadline: .soon) == video)
            #expect(try await videos.findOne(["_id": .objectID(ObjectID())], deadline: .soon) == nil)
        }
    }

    @Test func aDocumentWithoutAnIdentifierGetsOne() async throws {
        try await MongoFixture.withClient { client in
            let records = client.collection("records", of: BSONDocument.self)
            let id = try await records.insert(["videoPath": "a.mp4"], deadline: .soon)
            #expect(id.objectIDValue != nil)
            let found = try await records.findOne(["_id": id], deadline: .soon)
            #expect(found == ["_id": id, "videoPath": "a.mp4"])
        }
    }

    @Test func findSortsLimitsSkipsAndProjects() async throws {
        try await MongoFixture.withClient { client in
            let videos = client.collection("videos", of: Video.self)
            try await videos.insert(
                contentsOf: (0..<10).map { Video(videoPath: "\($0).mp4", size: $0) }, deadline: .soon)
            let found = try await videos.find(
                ["size": ["$gte": 2]], sort: ["size": -1], limit: 3, skip: 1, deadline: .soon)
            #expect(found.map(\.size) == [8, 7, 6])
            let raw = try await client.collection("videos", of: BSONDocument.self).find(
                ["size": 4], limit: 5, projection: ["size": 1, "_id": 0], deadline: .soon)
            #expect(raw == [["size": .int64(4)]])
        }
    }

    @Test func aBinaryFieldIsTakenApartWhereverItStands() async throws {
        try await MongoFixture.withClient { client in
            let records = client.collection("records", of: BSONDocument.self)
            let large = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let documents: [BSONDocument] = [
                ["_id": 1, "a": "first", "data": .binary(BSONBinary(large)), "z": ["data": 7]],
                ["_id": 2, "data": .binary(BSONBinary([]))],
                ["data": .binary(BSONBinary([9], subtype: 5)), "_id": 3],
                ["_id": 4, "data": "text"],
                ["_id": 5, "inner": ["data": .binary(BSONBinary([1]))]],
                ["_id": 6, "data": .binary(BSONBinary([6]))],
            ]
            try await records.insert(contentsOf: documents, deadline: .soon)
            let found = try await records.find(
                sort: ["_id": 1], limit: 5, apart: "data", into: [Parts](), deadline: .soon
            ) { $0.append(Parts(rest: $1, bytes: $2.map { Array($0) })) }
            #expect(
                found == [
                    Parts(rest: ["_id": 1, "a": "first", "z": ["data": 7]], bytes: large),
                    Parts(rest: ["_id": 2], bytes: []),
                    Parts(rest: ["_id": 3], bytes: [9]),
                    Parts(rest: documents[3], bytes: nil),
                    Parts(rest: documents[4], bytes: nil),
                ])
            let none = try await records.find(
                ["_id": 77], limit: 1, apart: "data", into: 5, deadline: .soon
            ) { count, _, _ in count += 1 }
            #expect(none == 5)
        }
    }

    @Test func moreThanMayBeReadAtOnceIsNotTakenApart() async throws {
        func read(_ client: MongoClient) async throws {
            let records = client.collection("records", of: BSONDocument.self)
            let data = BSON.binary(BSONBinary([UInt8](repeating: 1, count: 600_000)))
            try await records.insert(contentsOf: [["data": data], ["data": data]], deadline: .soon)
            let error = await #expect(throws: MongoError.self) {
                _ = try await records.find(limit: 2, apart: "data", into: 0, deadline: .soon) { count, _, _ in
                    count += 1
                }
            }
            #expect(error?.kind == .tooLarge)
        }
        try await MongoFixture.withClient(configure: { $0.maxResultBytes = 1_000_000 }, read)
    }

    @Test func aResultOfManyServerBatchesIsComplete() async throws {
        try await MongoFixture.withClient { client in
            let records = client.collection("records", of: BSONDocument.self)
            let text = BSON.string(String(repeating: "x", count: 1_000_000))
            for index in 0..<20 {
                try await records.insert(["_id": .int32(Int32(index)), "text": text], deadline: .soon)
            }
            let found = try await records.find(sort: ["_id": 1], limit: 100, deadline: .soon)
            #expect(found.compactMap { $0["_id"]?.integerValue } == Array(0..<20))
        }
    }

    @Test func aResultOverItsBytesIsRefused() async throws {
        try await MongoFixture.withClient {
            $0.maxResultBytes = 10_000
        } _: { client in
            let records = client.collection("records", of: BSONDocument.self)
            let text = BSON.string(String(repeating: "x", count: 3_000))
            try await records.insert(contentsOf: (0..<5).map { _ in ["text": text] }, deadline: .soon)
            let error = try await MongoFixture.error { _ = try await records.find(limit: 5, deadline: .soon) }
            #expect(error?.kind == .tooLarge)
            #expect(try await records.find(limit: 3, deadline: .soon).count == 3)
        }
    }

    @Test func aLimitOfNothingIsRefused() async throws {
        try await MongoFixture.withClient { client in
            let records = client.collection("records", of: BSONDocument.self)
            for limit in [0, -1, Int.max] {
                let error = try await MongoFixture.error { _ = try await records.find(limit: limit, deadline: .soon) }
                #expect(error?.kind == .malformedDocument)
            }
        }
    }

    @Test func countCountsWhatMatches() async throws {
        try await MongoFixture.withClient { client in
            let videos = client.collection("videos", of: Video.self)
            #expect(try await videos.count(deadline: .soon) == 0)
            try await videos.insert(
                contentsOf: (0..<10).map { Video(videoPath: "\($0).mp4", size: $0) }, deadline: .soon)
            #expect(try await videos.count(deadline: .soon) == 10)
            #expect(try await videos.count(["size": ["$lt": 4]], deadline: .soon) == 4)
        }
    }

    @Test func updateOneSaysWhatItDid() async throws {
        try await MongoFixture.withClient { client in
            let videos = client.collection("videos", of: Video.self)
            let video = Video(videoPath: "a.mp4")
            try await videos.insert(video, deadline: .soon)
            let filter: BSONDocument = ["_id": .objectID(video.id)]
            let first = try await videos.updateOne(filter, ["$set": ["title": "Weir"]], deadline: .soon)
            #expect((first.matched, first.modified) == (1, 1))
            let second = try await videos.updateOne(filter, ["$set": ["title": "Weir"]], deadline: .soon)
            #expect((second.matched, second.modified) == (1, 0))
            let none = try await videos.updateOne(["_id": 0], ["$set": ["title": "Weir"]], deadline: .soon)
            #expect((none.matched, none.modified, none.upsertedID) == (0, 0, nil))
            let added = try await videos.updateOne(
                ["_id": 7], ["$set": ["videoPath": "b.mp4"]], upsert: true, deadline: .soon)
            #expect((added.matched, added.upsertedID) == (0, 7))
        }
    }

    @Test func updateManyAndDeleteManyReachAll() async throws {
        try await MongoFixture.withClient { client in
            let videos = client.collection("videos", of: Video.self)
            try await videos.insert(
                contentsOf: (0..<10).map { Video(videoPath: "\($0).mp4", size: $0) }, deadline: .soon)
            let result = try await videos.updateMany(["size": ["$lt": 4]], ["$set": ["title": "x"]], deadline: .soon)
            #expect(result.modified == 4)
            #expect(try await videos.deleteOne(["title": "x"], deadline: .soon) == 1)
            #expect(try await videos.deleteMany(["title": "x"], deadline: .soon) == 3)
            #expect(try await videos.count(deadline: .soon) == 6)
        }
    }

    @Test func findOneAndUpdateGivesTheVersionAskedFor() async throws {
        try await MongoFixture.withClient { client in
            let videos = client.collection("videos", of: Video.self)
            try await videos.insert(contentsOf: (1...3).map { Video(videoPath: "a.mp4", size: $0) }, deadline: .soon)
            let before = try await videos.findOneAndUpdate(
                [:], ["$inc": ["size": 100]], sort: ["size": -1], returning: .before, deadline: .soon)
            #expect(before?.size == 3)
            let after = try await videos.findOneAndUpdate(
                ["size": 103], ["$inc": ["size": 100]], returning: .after, deadline: .soon)
            #expect(after?.size == 203)
            let none = try await videos.findOneAndUpdate(
                ["size": -1], ["$inc": ["size": 1]], returning: .after, deadline: .soon)
            #expect(none == nil)
        }
    }

    @Test func replaceOneKeepsTheIdentifier() async throws {
        try await MongoFixture.withClient { client in
            let videos = client.collection("videos", of: Video.self)
            var video = Video(videoPath: "a.mp4", title: "old")
            try await videos.insert(video, deadline: .soon)
            video.title = nil
            video.videoPath = "b.mp4"
            let result = try await videos.replaceOne(["videoPath": "a.mp4"], with: video, deadline: .soon)
            #expect(result.modified == 1)
            #expect(try await videos.find(limit: 2, deadline: .soon) == [video])
            let raw = client.collection("videos", of: BSONDocument.self)
            try await raw.replaceOne(["videoPath": "b.mp4"], with: ["videoPath": "c.mp4"], deadline: .soon)
            #expect(try await raw.findOne([:], deadline: .soon)?["_id"] == .objectID(video.id))
        }
    }

    @Test func aDuplicateKeyNamesTheFieldAndNotTheValue() async throws {
        try await MongoFixture.withClient { client in
            let videos = client.collection("videos", of: Video.self)
            try await videos.createIndexes([MongoIndex(["videoPath": 1], isUnique: true)], deadline: .soon)
            try await videos.insert(Video(videoPath: "secret.mp4"), deadline: .soon)
            let error = try #require(
                await MongoFixture.error { try await videos.insert(Video(videoPath: "secret.mp4"), deadline: .soon) })
            #expect(error.kind == .duplicateKey)
            #expect(error.field == "videoPath")
            #expect(error.collection == "videos")
            #expect(!"\(error)".contains("secret"))
            let fromUpdate = try await MongoFixture.error {
                _ = try await videos.findOneAndUpdate(
                    ["videoPath": "b.mp4"], ["$set": ["videoPath": "secret.mp4"]], upsert: true, returning: .after,
                    deadline: .soon)
            }
            #expect(fromUpdate?.kind == .duplicateKey)
            #expect(fromUpdate.map { "\($0)".contains("secret") } == false)
        }
    }

    @Test func indexesAreMadeOnceAndAgain() async throws {
        try await MongoFixture.withClient { client in
            let videos = client.collection("videos", of: Video.self)
            let indexes = [
                MongoIndex(["videoPath": 1], isUnique: true),
                MongoIndex(["createdAt": 1], expireAfterSeconds: 3600),
                MongoIndex(["state": 1, "updatedAt": -1], partialFilter: ["pendingEvents": ["$exists": true]]),
                MongoIndex(["title": 1], name: "by title", isSparse: true),
            ]
            for _ in 0..<2 {
                try await videos.createIndexes(indexes, deadline: .soon)
            }
            let reply = try await client.runCommand(["listIndexes": "videos"], deadline: .soon)
            let found = reply["cursor"]?.documentValue?["firstBatch"]?.arrayValue ?? []
            let names = found.compactMap { $0.documentValue?["name"]?.stringValue }
            #expect(names == ["_id_", "videoPath_1", "createdAt_1", "state_1_updatedAt_-1", "by title"])
            let conflict = try await MongoFixture.error {
                try await videos.createIndexes([MongoIndex(["videoPath": 1])], deadline: .soon)
            }
            #expect(conflict?.kind == .commandFailed(code: 86))
        }
    }

    @Test func aDocumentOfTheWrongShapeSpoilsOnlyItself() async throws {
        try await MongoFixture.withClient { client in
            let raw = client.collection("videos", of: BSONDocument.self)
            let bad = ObjectID()
            try await raw.insert(
                contentsOf: [
                    ["_id": .objectID(ObjectID()), "videoPath": "a.mp4", "size": 1, "tags": [], "unknown": ["x": 1]],
                    ["_id": .objectID(bad), "videoPath": "b.mp4", "size": 2, "tags": ["t", 5]],
                    ["_id": .objectID(ObjectID()), "videoPath": "c.mp4", "size": 3.0, "tags": []],
                ], deadline: .soon)
            let videos = client.collection("videos", of: Video.self)
            let results = try await videos.findResults(sort: ["size": 1], limit: 10, deadline: .soon)
            #expect(results.map { (try? $0.get())?.videoPath } == ["a.mp4", nil, "c.mp4"])
            let error = try #require(
                await MongoFixture.error { _ = try await videos.find(limit: 10, deadline: .soon) })
            #expect(error.kind == .malformedDocument)
            #expect(error.field == "tags.1")
            #expect(error.documentID == .objectID(bad))
            #expect(error.message.contains("\(bad)") && error.message.contains("expected string, found int32"))
            let one = try await MongoFixture.error {
                _ = try await videos.findOne(["_id": .objectID(bad)], deadline: .soon)
            }
            #expect(one?.kind == .malformedDocument)
        }
    }

    @Test func aTextThatBeginsWithADollarIsAText() async throws {
        try await MongoFixture.withClient { client in
            let videos = client.collection("videos", of: Video.self)
            try await videos.insert(Video(videoPath: "$where"), deadline: .soon)
            #expect(try await videos.count(["videoPath": "$where"], deadline: .soon) == 1)
        }
    }

    @Test func theLargestDocumentIsStoredAndALargerOneRefused() async throws {
        try await MongoFixture.withClient { client in
            let records = client.collection("records", of: BSONDocument.self)
            // 16 MiB less the frame, the _id (17) and the header and length of the text.
            let room = 16 * 1024 * 1024 - 5 - 17 - 6 - 5
            let largest = BSON.string(String(repeating: "x", count: room))
            let id = try await records.insert(["text": largest], deadline: .soon)
            #expect(try await records.findOne(["_id": id], deadline: .soon)?["text"] == largest)
            let larger = BSON.string(String(repeating: "x", count: room + 1))
            let refused = try await MongoFixture.error { try await records.insert(["text": larger], deadline: .soon) }
            #expect(refused?.kind == .tooLarge)
            let huge = BSON.string(String(repeating: "x", count: 20 * 1024 * 1024))
            for document: BSONDocument in [["text": huge], ["text": [huge, huge]]] {
                let error = try await MongoFixture.error { try await records.insert(document, deadline: .soon) }
                #expect(error?.kind == .tooLarge)
            }
            let filter = try await MongoFixture.error {
                _ = try await records.findOne(["text": huge], deadline: .soon)
            }
            #expect(filter?.kind == .tooLarge)
        }
    }

    @Test func aRefusedCommandHasItsCode() async throws {
        try await MongoFixture.withClient { client in
            let videos = client.collection("videos", of: Video.self)
            let error = try await MongoFixture.error {
                try await videos.updateOne([:], ["$nonsense": 1], upsert: true, deadline: .soon)
            }
            #expect(error?.kind == .commandFailed(code: 9))
            let query = try await MongoFixture.error {
                _ = try await videos.find(["$nonsense": 1], limit: 1, deadline: .soon)
            }
            #expect(query?.kind == .commandFailed(code: 2))
        }
    }
}
