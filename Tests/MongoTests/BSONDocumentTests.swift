import FoundationEssentials
import Testing

@testable import Mongo

@Suite struct BSONDocumentTests {
    @Test func helloWorldHasTheBytesOfTheSpecification() {
        let document: BSONDocument = ["hello": "world"]
        #expect(document.bytes == Array("\u{16}\0\0\0\u{02}hello\0\u{06}\0\0\0world\0\0".utf8))
    }

    @Test func theArrayExampleHasTheBytesOfTheSpecification() {
        let document: BSONDocument = ["BSON": ["awesome", 5.05, 1986]]
        let expected = Self.bytes(
            "31000000 04 42534f4e00 26000000 02 3000 08000000 617765736f6d6500 01 3100 3333333333331440 10 3200 c2070000 00 00"
        )
        #expect(document.bytes == expected)
    }

    private static let samples: [(name: String, value: BSON, element: String)] = [
        ("double", .double(-1), "01 6100 000000000000f0bf"),
        ("string", .string("b"), "02 6100 02000000 6200"),
        ("document", .document([:]), "03 6100 0500000000"),
        ("array", .array([]), "04 6100 0500000000"),
        ("binary", .binary(BSONBinary([7], subtype: 5)), "05 6100 01000000 05 07"),
        ("undefined", .undefined, "06 6100"),
        ("ObjectID", .objectID(BSONSamples.id), "07 6100 0123456789abcdef01234567"),
        ("bool", .bool(true), "08 6100 01"),
        ("date", .date(Date(timeIntervalSince1970: 0.258)), "09 6100 0201000000000000"),
        ("null", .null, "0a 6100"),
        ("regex", .regex(BSONRegex(readPattern: "b", options: "i")), "0b 6100 6200 6900"),
        ("dbPointer", .dbPointer("b", BSONSamples.id), "0c 6100 02000000 6200 0123456789abcdef01234567"),
        ("javascript", .javascript("b"), "0d 6100 02000000 6200"),
        ("symbol", .symbol("b"), "0e 6100 02000000 6200"),
        ("javascriptWithScope", .javascriptWithScope("b", [:]), "0f 6100 0f000000 02000000 6200 0500000000"),
        ("int32", .int32(-2), "10 6100 feffffff"),
        ("timestamp", .timestamp(BSONTimestamp(seconds: 1, increment: 2)), "11 6100 02000000 01000000"),
        ("int64", .int64(-2), "12 6100 feffffffffffffff"),
        ("decimal128", .decimal128(BSONDecimal128(low: 1, high: 2)), "13 6100 0100000000000000 0200000000000000"),
        ("maxKey", .maxKey, "7f 6100"),
        ("minKey", .minKey, "ff 6100"),
    ]

    @Test(arguments: samples)
    func eachTypeHasItsBytes(name: String, value: BSON, element: String) throws {
        let element = Self.bytes(element)
        let document: BSONDocument = ["a": value]
        #expect(document.bytes == [UInt8(element.count + 5), 0, 0, 0] + element + [0])
        #expect(try BSONDocument(bytes: document.bytes)["a"] == value)
        #expect(value.typeName == name)
    }

    private static func bytes(_ hexadecimal: String) -> [UInt8] {
        let digits = Array(hexadecimal.utf8.filter { $0 != UInt8(ascii: " ") })
        return stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(String(decoding: digits[$0..<($0 + 2)], as: UTF8.self), radix: 16)
        }
    }

    @Test func everyTypeSurvivesTheRoundTrip() throws {
        let read = try BSONDocument(bytes: BSONSamples.everyType.bytes)
        #expect(try BSONDocument(read.map { ($0.name, $0.value) }).bytes == BSONSamples.everyType.bytes)
        #expect(read.names.count == 23)
    }

    @Test func fieldsKeepTheirOrderAndTheFirstOfANameCounts() throws {
        let document = try BSONDocument([("z", 1), ("a", 2), ("z", 3)])
        #expect(document.names == ["z", "a", "z"])
        #expect(document["z"] == 1)
        #expect(document["y"] == nil)
        #expect((["n": nil] as BSONDocument)["n"] == .null)
    }

    @Test func anIntegerLiteralIsAsSmallAsItCanBe() {
        #expect((2_147_483_647 as BSON) == .int32(.max))
        #expect((2_147_483_648 as BSON) == .int64(2_147_483_648))
    }

    @Test func aNameWithANULIsRefusedAndTheDocumentUnchanged() throws {
        var document: BSONDocument = ["a": 1]
        #expect(throws: BSONError.self) { try document.append("b\0c", 1) }
        #expect(document == ["a": 1])
    }

    @Test func aRegularExpressionWithANULIsRefused() {
        #expect(throws: BSONError.self) { try BSONRegex(pattern: "a\0b") }
        #expect(throws: BSONError.self) { try BSONRegex(pattern: "a", options: "\0") }
    }

    @Test func anOversizedFieldIsRefusedAndTheDocumentUnchanged() throws {
        var document: BSONDocument = ["a": 1]
        let text = BSON.string(String(repeating: "x", count: BSONDocument.maxBytes))
        let error = #expect(throws: BSONError.self) { try document.append("b", text) }
        #expect(error?.kind == .tooLarge)
        #expect(document.bytes == (["a": 1] as BSONDocument).bytes)
    }

    @Test func datesAreRoundedToMillisecondsAndNeverCrash() {
        #expect(BSONDate.milliseconds(Date(timeIntervalSince1970: 1.0004)) == 1000)
        #expect(BSONDate.milliseconds(Date(timeIntervalSince1970: -0.0016)) == -2)
        #expect(BSONDate.milliseconds(Date(timeIntervalSince1970: .infinity)) == .max)
        #expect(BSONDate.milliseconds(Date(timeIntervalSince1970: -.greatestFiniteMagnitude)) == .min)
        #expect(BSONDate.milliseconds(Date(timeIntervalSince1970: .nan)) == 0)
        for milliseconds: Int64 in [.min, .max, 0, -1, 253_402_300_799_999] {
            _ = BSONDate.milliseconds(BSONDate.date(milliseconds: milliseconds))
        }
        #expect(BSONDate.milliseconds(BSONDate.date(milliseconds: 253_402_300_799_999)) == 253_402_300_799_999)
    }

    @Test func theDescriptionHoldsNoContent() {
        #expect(!"\(["secret": "password"] as BSONDocument)".contains("password"))
    }

    @Test func anIdentifierIsFoundInDocumentsThatAreBrokenBehindIt() throws {
        var bytes = (["_id": .objectID(BSONSamples.id), "s": "text"] as BSONDocument).bytes
        bytes[bytes.count - 4] = 0xFF
        #expect(throws: BSONError.self) { try BSONDocument(bytes: bytes) }
        #expect(BSONDocument.identifier(inUnchecked: bytes) == ["_id": .objectID(BSONSamples.id)])
        #expect(BSONDocument.identifier(inUnchecked: []) == nil)
        #expect(BSONDocument.identifier(inUnchecked: BSONDocument().bytes) == nil)
        let withID = (["a": 1] as BSONDocument).withIdentifier(BSONSamples.id)
        #expect(try BSONDocument(bytes: withID.bytes) == ["_id": .objectID(BSONSamples.id), "a": 1])
    }
}
