import Mongo
import Testing

/// Holds the threads of a client with queries that only end when they are told to, so that tests about waiting need not
/// measure time, which means little on a busy machine.
struct MongoThreads {
    let client: MongoClient
    let records: MongoCollection<BSONDocument>
    private let observer: MongoClient

    /// A query that takes a minute.
    static let slow: BSONDocument = ["$where": .javascript("sleep(60000) || true")]

    /// Runs `body` with a collection of one document, with the `_id` 1.
    static func with(_ client: MongoClient, _ body: (MongoThreads) async throws -> Void) async throws {
        let records = client.collection("records", of: BSONDocument.self)
        try await records.insert(["_id": 1], deadline: .soon)
        try await MongoFixture.withObserver { observer in
            let threads = MongoThreads(client: client, records: records, observer: observer)
            do {
                try await body(threads)
            } catch {
                try await threads.release()
                throw error
            }
            try await threads.release()
        }
    }

    /// Starts slow queries and waits until they run.
    func occupy(_ count: Int) async throws -> [Task<BSONDocument?, any Error>] {
        let tasks = (0..<count).map { _ in
            Task { [records] in try await records.findOne(Self.slow, deadline: .soon) }
        }
        try await wait { $0.count == count }
        return tasks
    }

    /// Ends the slow queries with an error.
    func release() async throws {
        for operation in try await running() {
            guard let id = operation["opid"] else { continue }
            _ = try await observer.runCommand(["killOp": 1, "op": id], deadline: .soon)
        }
        try await wait { $0.isEmpty }
    }

    /// What the server does for the client.
    func running() async throws -> [BSONDocument] {
        let reply = try await observer.runCommand(
            ["currentOp": 1, "ns": .string("\(client.database).records"), "op": "query"], deadline: .soon)
        return (reply["inprog"]?.arrayValue ?? []).compactMap(\.documentValue)
    }

    /// Waits until it is so. A slow query ends by itself after a minute, which would be noticed here.
    func wait(_ condition: ([BSONDocument]) -> Bool) async throws {
        let start = ContinuousClock.now
        while start.duration(to: .now) < .seconds(50) {
            if condition(try await running()) { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("the server never came to do what was waited for")
    }
}
