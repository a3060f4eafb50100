import Domain
import FoundationEssentials
import Mongo
import Testing

@testable import VideoStorage

@Suite struct CatalogueRecordTests {
    private func entry() throws -> CatalogueEntry {
        CatalogueEntry(
            key: try StorageKey("films/Ünïcödé 100%.mp4"), version: try #require(ObjectVersion("filesystem-a-b-c")),
            provider: .filesystem, location: try StorageKey("elsewhere"), size: 1 << 40, contentType: "video/mp4",
            checksum: "sha256:00", validator: try #require(BlobValidator("a-b-c")),
            committedAt: Date(timeIntervalSince1970: 1_700_000_000.123), state: .committed)
    }

    @Test func everyFieldSurvivesTheDatabase() throws {
        let entry = try entry()
        let document = try BSONEncoder().encode(CatalogueRecord(entry))
        #expect(document["schemaVersion"]?.integerValue == 1)
        #expect(try BSONDecoder().decode(CatalogueRecord.self, from: document).entry == entry)
    }

    @Test func adoptedEntryIsTheSameBeforeAndAfterItWasStored() throws {
        let blob = BlobFacts(
            size: 7, validator: BlobValidator(7, .max, 12),
            modifiedAt: Date(timeIntervalSince1970: 1_700_000_000.123_456_789))
        let key = try StorageKey("film.mp4")
        let entry = try CatalogueEntry(adopting: blob, at: key, in: .filesystem, key: key)
        let document = try BSONEncoder().encode(CatalogueRecord(entry))
        #expect(try BSONDecoder().decode(CatalogueRecord.self, from: document).entry == entry)
    }

    @Test func fieldsOfNewerVersionsAreIgnored() throws {
        var document = try BSONEncoder().encode(CatalogueRecord(entry()))
        try document.append("pendingEvents", ["a"])
        #expect(try BSONDecoder().decode(CatalogueRecord.self, from: document).entry == entry())
    }

    @Test(arguments: [
        ("key", BSON.string("../secret")), ("version", "a b"), ("location", "/etc/passwd"), ("size", -1), ("size", "1"),
        ("validator", ""), ("committedAt", 5), ("state", "burning"), ("provider", nil),
    ])
    func wrongShapeIsAnErrorThatNamesTheField(field: String, value: BSON) throws {
        let whole = try BSONEncoder().encode(CatalogueRecord(entry()))
        let document = try BSONDocument(whole.map { ($0.name, $0.name == field ? value : $0.value) })
        let error = #expect(throws: DecodingError.self) {
            try BSONDecoder().decode(CatalogueRecord.self, from: document)
        }
        #expect(error.map { String(describing: $0).contains(field) } == true)
    }
}
