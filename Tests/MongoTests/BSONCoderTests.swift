import FoundationEssentials
import Testing

@testable import Mongo

private enum State: String, Codable {
    case ready
}

private struct Part: Codable, Equatable {
    var number: Int
    var checksum: [UInt8]
}

private struct Everything: Codable, Equatable {
    var id = BSONSamples.id
    var text = "Wehr"
    var flag = true
    var double = 0.5
    var float: Float = 0.25
    var int = Int.min
    var int8 = Int8.min
    var int16 = Int16.min
    var int32 = Int32.min
    var int64 = Int64.max
    var uint = UInt(Int.max)
    var uint8 = UInt8.max
    var uint16 = UInt16.max
    var uint32 = UInt32.max
    var uint64 = UInt64(Int64.max)
    var date = Date(timeIntervalSince1970: 1_700_000_000.5)
    var data = Data([1, 2])
    var bytes: [UInt8] = []
    var binary = BSONBinary([9], subtype: 0x80)
    var state = State.ready
    var part = Part(number: 1, checksum: [0, 255])
    var parts = [Part(number: 2, checksum: [])]
    var byName = ["a": 1]
    var nested = [[1], []]
    var optional: Int?
    var present: Int? = 4
    var optionals: [Int?] = [1, nil]
    var empty: [String] = []
    var document: BSONDocument = ["x": nil]
    var value: BSON = ["y", 1]
    var regex = BSONRegex(readPattern: "a", options: "")
    var timestamp = BSONTimestamp(seconds: 1, increment: 2)
    var decimal = BSONDecimal128(low: 1, high: 2)
    var uuid = UUID()
}

@Suite struct BSONCoderTests {
    @Test func everyKindOfPropertySurvivesTheRoundTrip() throws {
        let value = Everything()
        let document = try BSONEncoder().encode(value)
        #expect(try BSONDocument(bytes: document.bytes) == document)
        #expect(try BSONDecoder().decode(Everything.self, from: document.bytes) == value)
    }

    @Test func propertiesHaveTheTypesOfTheTable() throws {
        let document = try BSONEncoder().encode(Everything())
        let types = Dictionary(uniqueKeysWithValues: document.map { ($0.name, $0.value.typeName) })
        let expected = [
            "id": "ObjectID", "int": "int64", "int8": "int32", "int16": "int32", "int32": "int32", "int64": "int64",
            "uint": "int64", "uint8": "int32", "uint16": "int32", "uint32": "int64", "uint64": "int64", "date": "date",
            "data": "binary", "bytes": "binary", "state": "string", "part": "document", "parts": "array",
            "empty": "array", "value": "array", "document": "document", "float": "double",
        ]
        for (name, type) in expected { #expect(types[name] == type, "\(name)") }
        #expect(document["optional"] == nil)
        #expect(document["optionals"] == [.int64(1), nil])
        #expect(document.names.prefix(3) == ["id", "text", "flag"])
    }

    @Test func numbersOfEveryTypeAreReadWhenTheyFit() throws {
        for value: BSON in [.int32(7), .int64(7), .double(7)] {
            let document: BSONDocument = ["n": value]
            #expect(try BSONDecoder().decode([String: Int].self, from: document) == ["n": 7])
            #expect(try BSONDecoder().decode([String: UInt8].self, from: document) == ["n": 7])
            #expect(try BSONDecoder().decode([String: Double].self, from: document) == ["n": 7])
        }
        for value: BSON in [.int32(-1), .int64(256), 7.5, .double(.nan), .double(.infinity), 1e300] {
            #expect(throws: DecodingError.self) {
                try BSONDecoder().decode([String: UInt8].self, from: ["n": value])
            }
        }
        for value: BSON in [7.5, .double(.nan), .double(-.infinity), 9.3e18, "7", true, nil] {
            #expect(throws: DecodingError.self) { try BSONDecoder().decode([String: Int].self, from: ["n": value]) }
        }
        #expect(throws: DecodingError.self) {
            try BSONDecoder().decode([String: Double].self, from: ["n": .int64(.max)])
        }
    }

    @Test func unknownFieldsAreIgnored() throws {
        let document: BSONDocument = ["new": ["x": 1], "number": 1, "checksum": .binary(BSONBinary([]))]
        #expect(try BSONDecoder().decode(Part.self, from: document) == Part(number: 1, checksum: []))
    }

    @Test func absentAndNullAreNilForAnOptional() throws {
        struct Optionals: Codable, Equatable {
            var a: Int?
            var b: Part?
            var c: ObjectID?
        }
        let none = Optionals()
        #expect(try BSONDecoder().decode(Optionals.self, from: [:]) == none)
        #expect(try BSONDecoder().decode(Optionals.self, from: ["a": nil, "b": nil, "c": nil]) == none)
    }

    @Test func bytesAreReadFromAnArrayOfNumbersToo() throws {
        let document: BSONDocument = ["number": 1, "checksum": [1, 2.0, .int64(255)]]
        #expect(try BSONDecoder().decode(Part.self, from: document).checksum == [1, 2, 255])
        #expect(throws: DecodingError.self) {
            try BSONDecoder().decode(Part.self, from: ["number": 1, "checksum": [256]])
        }
    }

    private static let misfits: [(parts: BSON, path: String, message: String)] = [
        (
            .array([.document(["number": 1, "checksum": []]), .document(["number": "one"])]), "parts.1.number",
            "field parts.1.number: expected integer, found string"
        ),
        (.array([.document(["checksum": []])]), "parts.0.number", "field parts.0.number is missing"),
        (.array([.int32(5)]), "parts.0", "field parts.0: expected document, found int32"),
        (.document(["number": 1]), "parts", "field parts: expected array, found document"),
        (.null, "parts", "field parts: expected array, found null"),
        (
            .array([.document(["number": 1, "checksum": "x"])]), "parts.0.checksum",
            "field parts.0.checksum: expected binary, found string"
        ),
        (
            .array([.document(["number": 1.5])]), "parts.0.number",
            "field parts.0.number: the double there is not a number that Int can hold"
        ),
    ]

    @Test(arguments: misfits)
    func decodingErrorsNameTheFieldAndTheTypes(parts: BSON, path: String, message: String) throws {
        struct Upload: Codable { var parts: [Part] }
        let error = try #require(throws: DecodingError.self) {
            try BSONDecoder().decode(Upload.self, from: ["parts": parts])
        }
        switch error {
        case .keyNotFound(let key, let context):
            #expect(fieldPath(context.codingPath + [key]) == path)
            #expect(context.debugDescription == message)
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            #expect(fieldPath(context.codingPath) == path)
            #expect(context.debugDescription == message)
        default:
            Issue.record("unexpected \(error)")
        }
    }

    @Test func aNumberThatDoesNotFitNamesItsPath() throws {
        let error = try #require(throws: EncodingError.self) {
            try BSONEncoder().encode(["a": ["b": [0, UInt64.max]]])
        }
        guard case .invalidValue(_, let context) = error else { return }
        #expect(fieldPath(context.codingPath) == "a.b.1")
    }

    @Test func onlyADocumentCanBeEncodedAtTheTop() {
        #expect(throws: EncodingError.self) { try BSONEncoder().encode(5) }
        #expect(throws: EncodingError.self) { try BSONEncoder().encode(["a"]) }
        #expect(throws: EncodingError.self) { try BSONEncoder().encode(BSONSamples.id) }
    }

    @Test func aNameWithANULAndAnOversizedValueAreErrors() throws {
        let name = try #require(throws: EncodingError.self) { try BSONEncoder().encode(["a\0b": 1]) }
        let size = try #require(throws: EncodingError.self) {
            try BSONEncoder().encode(["a": String(repeating: "x", count: BSONDocument.maxBytes)])
        }
        for (error, kind) in [(name, BSONError.Kind.embeddedNUL), (size, .tooLarge)] {
            guard case .invalidValue(_, let context) = error else { continue }
            #expect((context.underlyingError as? BSONError)?.kind == kind)
        }
    }

    @Test func endlessNestingIsAnErrorAndNotACrash() {
        final class Endless: Encodable {
            enum CodingKeys: CodingKey { case next }
            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: CodingKeys.self)
                try container.encode(self, forKey: .next)
            }
        }
        #expect(throws: EncodingError.self) { try BSONEncoder().encode(Endless()) }
    }

    @Test func classesWithSuperEncodersSurviveTheRoundTrip() throws {
        let value = Derived()
        value.base = 3
        value.derived = 4
        let document = try BSONEncoder().encode(value)
        #expect(document == ["derived": .int64(4), "super": ["base": .int64(3)]])
        let read = try BSONDecoder().decode(Derived.self, from: document)
        #expect((read.base, read.derived) == (3, 4))
    }

    @Test func enumerationsWithValuesSurviveTheRoundTrip() throws {
        enum Choice: Codable, Equatable {
            case none
            case some(Int, name: String)
        }
        for choice in [Choice.none, .some(1, name: "x")] {
            let document = try BSONEncoder().encode(["choice": choice])
            #expect(try BSONDecoder().decode([String: Choice].self, from: document) == ["choice": choice])
        }
    }

    @Test func otherFormatsRefuseBSONTypes() {
        #expect(throws: EncodingError.self) { try JSONEncoder().encode(["a": BSON.null]) }
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([BSONDocument].self, from: Data("[{}]".utf8))
        }
    }
}

private class Base: Codable {
    var base = 0
}

private final class Derived: Base {
    var derived = 0

    enum CodingKeys: CodingKey { case derived }

    override init() { super.init() }

    required init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        derived = try container.decode(Int.self, forKey: .derived)
        try super.init(from: try container.superDecoder())
    }

    override func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(derived, forKey: .derived)
        try super.encode(to: container.superEncoder())
    }
}
