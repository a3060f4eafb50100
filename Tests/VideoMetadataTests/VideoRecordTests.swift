import Domain
import FoundationEssentials
import Mongo
import Testing

@testable import VideoMetadata

@Suite struct VideoRecordTests {
    static let digits = "5ea234a1c34230004592eb32"

    static func document(_ fields: [(String, BSON)]) throws -> BSONDocument {
        let id = try #require(ObjectID(digits))
        return try BSONDocument([("_id", .objectID(id))] + fields)
    }

    static func decode(_ fields: [(String, BSON)]) throws -> Video {
        try BSONDecoder().decode(VideoRecord.self, from: document(fields)).video
    }

    @Test func recordOfIdAndPathIsAVideoThatPlays() throws {
        let video = try Self.decode([("videoPath", "film.mp4")])
        #expect(video == Video(id: try #require(VideoID(Self.digits)), videoPath: "film.mp4"))
        #expect(video.state == .ready && video.revision == 0 && video.createdAt == nil)
    }

    @Test func unknownFieldsAreIgnoredAndNullCountsAsAbsent() throws {
        let video = try Self.decode([
            ("likes", .document(["many": 3])), ("videoPath", "film.mp4"), ("title", nil), ("revision", nil),
            ("state", nil),
        ])
        #expect(video.title == nil && video.revision == 0 && video.state == .ready)
    }

    @Test(arguments: [BSON.int32(7), .int64(7), .double(7)])
    func numbersOfEveryKindAreTaken(number: BSON) throws {
        #expect(try Self.decode([("videoPath", "film.mp4"), ("revision", number)]).revision == 7)
    }

    @Test func pathIsTakenAsItIsEvenWhenItIsNoKey() throws {
        #expect(try Self.decode([("videoPath", "../secret")]).videoPath == "../secret")
    }

    @Test(arguments: [
        ("videoPath", BSON.int32(5)), ("videoPath", .null), ("videoPath", .array(["a"])),
        ("videoPath", .string(String(repeating: "p", count: 1_025))), ("title", 5), ("description", true),
        ("contentType", "video/mp4\r\nSet-Cookie: a"), ("contentType", "film"), ("state", "burning"), ("state", 1),
        ("createdAt", "yesterday"), ("updatedAt", 12), ("revision", 1.5), ("revision", "1"),
        ("title", .string(String(repeating: "t", count: 1_025))),
        ("description", .string(String(repeating: "d", count: 16_385))),
    ])
    func wrongShapeIsAnErrorThatNamesTheField(field: String, value: BSON) throws {
        var fields: [(String, BSON)] = [(field, value)]
        if field != "videoPath" { fields.append(("videoPath", "film.mp4")) }
        let error = #expect(throws: DecodingError.self) { try Self.decode(fields) }
        #expect(error.map { String(describing: $0).contains(field) } == true)
    }

    @Test func missingPathAndForeignIdAreWrongShapes() throws {
        #expect(throws: DecodingError.self) { try Self.decode([]) }
        let foreign: BSONDocument = ["_id": 5, "videoPath": "film.mp4"]
        #expect(throws: DecodingError.self) { try BSONDecoder().decode(VideoRecord.self, from: foreign) }
    }

    @Test(arguments: [
        BSON.string("prose"), 5, nil, ["size": 5], ["version": "v 1", "size": 1, "committedAt": .date(Date())],
        ["version": "v1", "size": -1, "committedAt": .date(Date())],
    ])
    func contentOfAnotherMakeIsNoReasonNotToPlay(content: BSON) throws {
        let video = try Self.decode([("videoPath", "film.mp4"), ("content", content)])
        #expect(video.content == nil && video.state == .ready)
    }

    @Test func everyFieldSurvivesTheDatabase() throws {
        let content = VideoContent(
            version: try #require(ObjectVersion("v1")), size: 1 << 40, contentType: "video/mp4",
            committedAt: Date(timeIntervalSince1970: 1_700_000_000.123))
        let video = Video(
            id: try #require(VideoID(Self.digits)), videoPath: "films/Ünïcödé 100%.mp4", title: "Weir",
            description: "Water",
            contentType: "video/mp4; codecs=\"avc1.64001f\"", state: .awaitingUpload,
            content: content, createdAt: Date(timeIntervalSince1970: 1_700_000_000.123),
            updatedAt: Date(timeIntervalSince1970: 1_700_000_001), revision: 1 << 40)
        let document = try BSONEncoder().encode(VideoRecord(video))
        #expect(document["_id"]?.objectIDValue?.description == Self.digits)
        let read = try BSONDecoder().decode(VideoRecord.self, from: document).video
        #expect(read == video)
    }

    @Test func whatIsNotKnownIsNotWritten() throws {
        let video = Video(id: try #require(VideoID(Self.digits)), videoPath: "film.mp4")
        #expect(try BSONEncoder().encode(VideoRecord(video)).names == ["_id", "videoPath", "state", "revision"])
    }
}
