import Testing

@testable import Mongo

@Suite struct MongoErrorTests {
    @Test(arguments: [
        (11000, MongoError.Kind.duplicateKey), (50, .deadlineExceeded), (262, .deadlineExceeded), (91, .unavailable),
        (10107, .unavailable), (11600, .unavailable), (64, .unavailable), (18, .invalidConfiguration),
        (10334, .tooLarge), (13, .commandFailed(code: 13)), (0, .commandFailed(code: 0)),
        (-1, .commandFailed(code: -1)),
    ])
    func serverCodesHaveTheirKind(code: Int, kind: MongoError.Kind) {
        #expect(DriverError.kind(serverCode: Int32(code)) == kind)
    }

    @Test func theFirstWriteErrorIsTheError() {
        let reply: BSONDocument = [
            "ok": 1, "n": 0,
            "writeErrors": [
                [
                    "index": 0, "code": 11000, "keyPattern": ["a": 1, "b": 1], "keyValue": ["a": "secret"],
                    "errmsg": "E11000 duplicate key error collection: d.c index: a_1_b_1 dup key: { a: \"secret\" }",
                ]
            ],
        ]
        let error = DriverError.writeError(in: reply)
        #expect(error?.kind == .duplicateKey)
        #expect(error?.field == "a, b")
        #expect(error?.message.contains("a_1_b_1") == true)
        #expect(error?.message.contains("secret") == false)
    }

    @Test func aWriteThatIsNotOnAMajorityIsUnavailable() {
        let reply: BSONDocument = [
            "ok": 1, "writeConcernError": ["code": 64, "errmsg": "waiting for replication timed out"],
        ]
        #expect(DriverError.writeError(in: reply)?.kind == .unavailable)
        #expect(DriverError.writeError(in: ["ok": 1]) == nil)
    }

    @Test func oddRepliesAreErrorsAndNotCrashes() {
        #expect(DriverError.writeError(in: ["writeErrors": [["code": "x"]]])?.kind == .commandFailed(code: 0))
        #expect(
            DriverError.writeError(in: ["writeErrors": [["code": .int64(.max)]]])?.kind == .commandFailed(code: .max))
        #expect(DriverError.writeError(in: ["writeErrors": [5]]) == nil)
    }
}
