import FoundationEssentials
import Testing

@testable import Mongo

@Suite struct ObjectIDTests {
    @Test func textAndBytesAreTheSameIdentifier() throws {
        let id = try #require(ObjectID("507F1f77bcf86cd799439011"))
        #expect(id.description == "507f1f77bcf86cd799439011")
        #expect(id.bytes == [0x50, 0x7F, 0x1F, 0x77, 0xBC, 0xF8, 0x6C, 0xD7, 0x99, 0x43, 0x90, 0x11])
        #expect(ObjectID(bytes: id.bytes) == id)
        #expect(id.secondsSince1970 == 0x507F_1F77)
    }

    @Test(arguments: [
        "", "507f1f77bcf86cd79943901", "507f1f77bcf86cd7994390111", "507f1f77bcf86cd79943901g",
        "507f1f77bcf86cd79943901\0",
        "٥07f1f77bcf86cd79943901", "+07f1f77bcf86cd799439011", " 507f1f77bcf86cd799439011",
    ])
    func otherTextIsNotAnIdentifier(text: String) {
        #expect(ObjectID(text) == nil)
    }

    @Test func otherNumbersOfBytesAreNotAnIdentifier() {
        #expect(ObjectID(bytes: [UInt8]()) == nil)
        #expect(ObjectID(bytes: [UInt8](repeating: 1, count: 11)) == nil)
        #expect(ObjectID(bytes: [UInt8](repeating: 1, count: 13)) == nil)
    }

    @Test func theOrderIsThatOfTheBytes() throws {
        let ids = try [
            "000000000000000000000001", "0000000000000000ff000000", "000000010000000000000000",
            "ff0000000000000000000000",
        ]
        .map { try #require(ObjectID($0)) }
        #expect(ids.shuffled().sorted() == ids)
    }

    @Test func newIdentifiersAreDifferentAndOfNow() async {
        let ids = await withTaskGroup(of: [ObjectID].self) { group in
            for _ in 0..<4 { group.addTask { (0..<10_000).map { _ in ObjectID() } } }
            return await group.reduce(into: Set<ObjectID>()) { $0.formUnion($1) }
        }
        #expect(ids.count == 40_000)
        let now = Date().timeIntervalSince1970
        #expect(ids.allSatisfy { abs(Double($0.secondsSince1970) - now) < 60 })
    }

    @Test func otherFormatsCarryTheText() throws {
        let id = BSONSamples.id
        let json = try JSONEncoder().encode([id])
        #expect(String(decoding: json, as: UTF8.self) == "[\"0123456789abcdef01234567\"]")
        #expect(try JSONDecoder().decode([ObjectID].self, from: json) == [id])
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([ObjectID].self, from: Data("[\"x\"]".utf8)) }
    }
}
