import Mongo
import Testing

@Suite struct MongoBatchesTests {
    private struct Numbered: Codable, Sendable {
        var number: Int
    }

    @Test func tenThousandDocumentsComeOnceEach() async throws {
        try await MongoFixture.withClient { client in
            let records = client.collection("records", of: BSONDocument.self)
            for start in stride(from: 0, to: 10_000, by: 1000) {
                try await records.insert(
                    contentsOf: (start..<(start + 1000)).map { ["number": .int32(Int32($0))] }, deadline: .soon)
            }
            var numbers: [Int] = []
            var sizes: [Int] = []
            let collection = client.collection("records", of: Numbered.self)
            for try await batch in collection.batches(size: 333, timeout: .seconds(10)) {
                sizes.append(batch.count)
                for result in batch { numbers.append(try result.get().number) }
            }
            #expect(numbers == Array(0..<10_000))
            #expect(sizes == Array(repeating: 333, count: 30) + [10])
        }
    }

    @Test func identifiersOfEveryTypeAreWalkedOver() async throws {
        try await MongoFixture.withClient { client in
            let records = client.collection("records", of: BSONDocument.self)
            let ids: [BSON] = [
                .minKey, .null, .double(.nan), 1, .int64(2), 2.5, "", "a", ["x": 1], .binary(BSONBinary([1, 2])),
                .objectID(ObjectID()), false, true, .timestamp(BSONTimestamp(seconds: 5, increment: 1)),
            ]
            for id in ids {
                try await records.insert(["_id": id], deadline: .soon)
            }
            for size in 1...4 {
                var found: [BSONDocument] = []
                for try await batch in records.batches(size: size, timeout: .seconds(10)) {
                    #expect((1...size).contains(batch.count))
                    found += try batch.map { try $0.get() }
                }
                #expect(found.map(\.bytes) == ids.map { (["_id": $0] as BSONDocument).bytes })
            }
        }
    }

    @Test func documentsRemovedOnTheWayDoNotEndTheIteration() async throws {
        try await MongoFixture.withClient { client in
            let records = client.collection("records", of: BSONDocument.self)
            try await records.insert(
                contentsOf: (0..<20).map { ["_id": .int32($0), "keep": .bool($0 % 2 == 0)] }, deadline: .soon)
            var found: [Int64] = []
            for try await batch in records.batches(["keep": true], size: 3, timeout: .seconds(10)) {
                let ids = try batch.compactMap { try $0.get()["_id"]?.integerValue }
                found += ids
                // Those just seen, the last included, from which the next batch goes on.
                try await records.deleteMany(["_id": ["$in": .array(ids.map { .int64($0) })]], deadline: .soon)
            }
            #expect(found == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18])
        }
    }

    @Test func aBatchEndsEarlyAtItsBytes() async throws {
        try await MongoFixture.withClient {
            $0.maxResultBytes = 10_000
        } _: { client in
            let records = client.collection("records", of: BSONDocument.self)
            // Each third is larger than the limit by itself.
            try await records.insert(
                contentsOf: (0..<9).map { index in
                    [
                        "_id": .int32(Int32(index)),
                        "text": .string(String(repeating: "x", count: index % 3 == 0 ? 20_000 : 4_000)),
                    ]
                }, deadline: .soon)
            var sizes: [Int] = []
            for try await batch in records.batches(size: 100, timeout: .seconds(10)) { sizes.append(batch.count) }
            #expect(sizes == [1, 2, 1, 2, 1, 2])
        }
    }

    @Test func aBadDocumentIsAnErrorInItsPlace() async throws {
        try await MongoFixture.withClient { client in
            let records = client.collection("records", of: BSONDocument.self)
            try await records.insert(
                contentsOf: [["_id": 1, "number": 1], ["_id": 2, "number": "two"], ["_id": 3, "number": 3]],
                deadline: .soon)
            var found: [Int?] = []
            let collection = client.collection("records", of: Numbered.self)
            for try await batch in collection.batches(size: 1, timeout: .seconds(10)) {
                found += batch.map { (try? $0.get())?.number }
            }
            #expect(found == [1, nil, 3])
        }
    }

    @Test func anEmptyCollectionHasNoBatches() async throws {
        try await MongoFixture.withClient { client in
            let records = client.collection("records", of: BSONDocument.self)
            for try await batch in records.batches(size: 10, timeout: .seconds(10)) {
                Issue.record("a batch of \(batch.count)")
            }
        }
    }
}
