import FoundationEssentials

@testable import Mongo

/// Documents to test with.
enum BSONSamples {
    static let id = ObjectID("0123456789abcdef01234567") ?? ObjectID()

    /// One field of every type.
    static let everyType: BSONDocument = [
        "double": 5.05, "string": "Wehr \u{1F3A5}\u{0}!", "document": ["a": ["b": [:]]],
        "array": [1, "two", [3.0, nil]],
        "binary": .binary(BSONBinary([0, 1, 255], subtype: 0x80)), "undefined": .undefined, "objectID": .objectID(id),
        "true": true, "false": false, "date": .date(Date(timeIntervalSince1970: -1.5)), "null": nil,
        "regex": .regex(BSONRegex(readPattern: "^a.*", options: "im")), "dbPointer": .dbPointer("db.c", id),
        "javascript": .javascript("return 1"), "symbol": .symbol("s"),
        "scope": .javascriptWithScope("return x", ["x": 1]), "int32": .int32(.min),
        "timestamp": .timestamp(BSONTimestamp(seconds: .max, increment: 7)), "int64": .int64(.min),
        "decimal128": .decimal128(BSONDecimal128(low: 1, high: 0x3040_0000_0000_0000)), "minKey": .minKey,
        "maxKey": .maxKey, "": "",
    ]

    /// Reads everything that a document has, as deep as it goes, and counts the values.
    static func walk(_ document: BSONDocument) -> Int {
        document.reduce(0) { $0 + walk($1.value) }
    }

    private static func walk(_ value: BSON) -> Int {
        switch value {
        case .document(let document), .javascriptWithScope(_, let document): 1 + walk(document)
        case .array(let values): values.reduce(1) { $0 + walk($1) }
        default: 1
        }
    }

    /// Documents in documents.
    static func nested(levels: Int) -> BSONDocument {
        (1..<levels).reduce(BSONDocument()) { inner, _ in ["d": .document(inner)] }
    }
}

/// SplitMix64: the same numbers from the same seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
