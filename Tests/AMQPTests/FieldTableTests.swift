import Testing

@testable import AMQP

@Suite struct FieldTableTests {
    let table: FieldTable = [
        "text": .string("mühle"), "number": .int(-5), "fraction": .double(1.5), "flag": .bool(true),
        "raw": .bytes([0, 255]), "moment": .timestamp(1_700_000_000), "nothing": .null,
        "inner": .table(["list": .array([.int(1), .string("two")])]),
    ]

    @Test func everyKindSurvivesTheWayThroughTheLibrarysStructures() {
        let encoder = WireEncoder()
        defer { encoder.reset() }
        #expect(WireDecoder.table(encoder.table(table), depth: 0) == table)
    }

    @Test func aTableLargerThanTheEncodersBlockSurvives() {
        let encoder = WireEncoder()
        defer { encoder.reset() }
        let long = String(repeating: "x", count: 100_000)
        let large = FieldTable((0..<500).map { FieldTable.Entry("name\($0)", .string(long)) })
        #expect(WireDecoder.table(encoder.table(large), depth: 0) == large)
    }

    @Test func propertiesSurvive() {
        let encoder = WireEncoder()
        defer { encoder.reset() }
        let properties = MessageProperties(
            type: "t", contentType: "c", correlationID: "1", messageID: "m", replyTo: "r",
            expirationMilliseconds: 5_000, appID: "a", isPersistent: true, headers: table)
        #expect(WireDecoder.properties(encoder.properties(properties)) == properties)
        #expect(WireDecoder.properties(encoder.properties(MessageProperties())) == MessageProperties())
    }

    @Test func tablesNestedTooDeepAreCutOff() {
        let encoder = WireEncoder()
        defer { encoder.reset() }
        let deep = (0..<50).reduce(FieldTable()) { inner, _ in ["inner": .table(inner)] }
        var depth = 0
        var table = WireDecoder.table(encoder.table(deep), depth: 0)
        while case .table(let inner) = table["inner"] { (table, depth) = (inner, depth + 1) }
        #expect(depth == 8)
    }

    @Test func entriesAreReplacedAddedAndRemovedByName() {
        var table: FieldTable = ["a": .int(1), "b": .int(2)]
        table["a"] = .int(3)
        table["c"] = .string("x")
        table["b"] = nil
        #expect(table == ["a": .int(3), "c": .string("x")])
        #expect(table.int("a") == 3)
        #expect(table.string("a") == nil)
        #expect(table.string("c") == "x")
    }
}
