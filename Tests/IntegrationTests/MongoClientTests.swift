import FoundationEssentials
import Mongo
import Testing

@Suite struct MongoClientTests {
    /// A collection with one document, on which a query with ``slowly(_:)`` takes that long.
    private func slowCollection(_ client: MongoClient) async throws -> MongoCollection<BSONDocument> {
        let records = client.collection("records", of: BSONDocument.self)
        try await records.insert(["_id": 1], deadline: .soon)
        return records
    }

    private func slowly(_ milliseconds: Int) -> BSONDocument {
        ["$where": .javascript("sleep(\(milliseconds)) || true")]
    }

    /// Waits until `count` operations of the client run on the server.
    private func waitForRunning(_ count: Int, _ client: MongoClient) async throws {
        try await MongoFixture.withObserver { observer in
            for _ in 0..<500 {
                let reply = try await observer.runCommand(
                    ["currentOp": 1, "ns": .string("\(client.database).records"), "op": "query"], deadline: .soon)
                if (reply["inprog"]?.arrayValue?.count ?? 0) >= count { return }
                try await Task.sleep(for: .milliseconds(10))
            }
            Issue.record("\(count) operations never ran at once")
        }
    }

    // MARK: - Reaching the server

    @Test func pingIsAnswered() async throws {
        try await MongoFixture.withClient { client in
            try await client.ping(deadline: .soon)
        }
    }

    @Test func manyTasksShareFewThreads() async throws {
        try await MongoFixture.withClient { client in
            let records = client.collection("records", of: BSONDocument.self)
            try await withThrowingTaskGroup { group in
                for task in 0..<64 {
                    group.addTask {
                        for index in 0..<10 {
                            let id = BSON.int32(Int32(task * 10 + index))
                            try await records.insert(["_id": id], deadline: .soon)
                            #expect(try await records.findOne(["_id": id], deadline: .soon) == ["_id": id])
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await records.count(deadline: .soon) == 640)
        }
    }

    @Test func anUnreachableServerIsUnavailableAfterTheSelectionTimeout() async throws {
        // Port 1 is reserved, and nothing listens there.
        var configuration = MongoConfiguration(uri: "mongodb://127.0.0.1:1", database: "d")
        configuration.serverSelectionTimeoutMilliseconds = 500
        let client = try MongoClient(configuration: configuration, logger: MongoFixture.logger)
        let start = ContinuousClock.now
        let error = try await MongoFixture.error { try await client.ping(deadline: .soon) }
        #expect(error?.kind == .unavailable)
        #expect((.milliseconds(400)..<(.seconds(3))).contains(start.duration(to: .now)))
        await client.shutdown()
    }

    @Test func anUnreachableServerIsUnavailableWithinTheDeadline() async throws {
        let client = try MongoClient(
            configuration: MongoConfiguration(uri: "mongodb://127.0.0.1:1", database: "d"), logger: MongoFixture.logger)
        let start = ContinuousClock.now
        let error = try await MongoFixture.error { try await client.ping(deadline: .now + .milliseconds(300)) }
        #expect(error?.kind == .unavailable)
        #expect((.milliseconds(300)..<(.seconds(1))).contains(start.duration(to: .now)))
        await client.shutdown()
    }

    @Test func aRefusedPasswordIsAConfigurationErrorThatDoesNotShowIt() async throws {
        let uri = try MongoFixture.uri()
        let host = uri.split(separator: "//").last?.split(separator: "@").last?.split(separator: "/").first ?? ""
        let client = try MongoClient(
            configuration: MongoConfiguration(uri: "mongodb://nobody:secret@\(host)/?authSource=admin", database: "d"),
            logger: MongoFixture.logger)
        let error = try await MongoFixture.error { try await client.ping(deadline: .soon) }
        #expect(error?.kind == .invalidConfiguration)
        #expect(error.map { "\($0)".contains("secret") } == false)
        await client.shutdown()
    }

    // MARK: - Deadlines

    @Test func aSlowQueryEndsAtItsDeadline() async throws {
        try await MongoFixture.withClient { client in
            let records = try await slowCollection(client)
            let start = ContinuousClock.now
            let error = try await MongoFixture.error {
                _ = try await records.findOne(slowly(3000), deadline: .now + .milliseconds(300))
            }
            #expect(error?.kind == .deadlineExceeded)
            #expect((.milliseconds(290)..<(.seconds(1))).contains(start.duration(to: .now)))
        }
    }

    @Test func theServerIsToldTheDeadline() async throws {
        try await MongoFixture.withClient { client in
            let records = try await slowCollection(client)
            _ = try? await records.findOne(slowly(5000), deadline: .now + .milliseconds(300))
            // Nothing goes on there for a caller that has been answered.
            try await MongoFixture.withObserver { observer in
                try await Task.sleep(for: .milliseconds(700))
                let reply = try await observer.runCommand(
                    ["currentOp": 1, "ns": .string("\(client.database).records"), "op": "query"], deadline: .soon)
                #expect(reply["inprog"]?.arrayValue == [])
            }
        }
    }

    @Test func workWhoseDeadlineHasPassedIsNotStarted() async throws {
        try await MongoFixture.withClient {
            $0.poolThreads = 1
        } _: { client in
            let records = try await slowCollection(client)
            let past = try await MongoFixture.error {
                try await records.insert(["_id": 2], deadline: .now - .milliseconds(1))
            }
            #expect(past?.kind == .deadlineExceeded)
            async let slow = records.findOne(slowly(600), deadline: .soon)
            try await waitForRunning(1, client)
            let start = ContinuousClock.now
            let waiting = try await MongoFixture.error {
                try await records.insert(["_id": 3], deadline: .now + .milliseconds(100))
            }
            #expect(waiting?.kind == .deadlineExceeded)
            #expect(start.duration(to: .now) < .milliseconds(400))
            _ = try await slow
            #expect(try await records.count(deadline: .soon) == 1)
        }
    }

    // MARK: - The queue

    @Test func theQueueIsBounded() async throws {
        try await MongoFixture.withClient {
            $0.poolThreads = 1
            $0.maxQueuedOperations = 2
        } _: { client in
            let records = try await slowCollection(client)
            async let slow = records.findOne(slowly(800), deadline: .soon)
            try await waitForRunning(1, client)
            let outcomes = await withTaskGroup(of: MongoError.Kind?.self) { group in
                for _ in 0..<5 {
                    group.addTask {
                        do {
                            try await client.ping(deadline: .soon)
                            return nil
                        } catch {
                            return (error as? MongoError)?.kind
                        }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            // The refusals come at once, before the two that waited for their turn.
            #expect(outcomes == [.overloaded, .overloaded, .overloaded, nil, nil])
            _ = try await slow
            try await client.ping(deadline: .soon)
        }
    }

    @Test func callersDoNotBlockTheCooperativePool() async throws {
        try await MongoFixture.withClient {
            $0.poolThreads = 8
        } _: { client in
            let records = try await slowCollection(client)
            let longestPause = try await withThrowingTaskGroup(of: Duration.self) { group in
                group.addTask {
                    var longest = Duration.zero
                    for _ in 0..<50 {
                        let start = ContinuousClock.now
                        try await Task.sleep(for: .milliseconds(10))
                        longest = max(longest, start.duration(to: .now))
                    }
                    return longest
                }
                for _ in 0..<8 {
                    group.addTask {
                        _ = try await records.findOne(self.slowly(500), deadline: .soon)
                        return .zero
                    }
                }
                return try await group.reduce(.zero) { max($0, $1) }
            }
            #expect(longestPause < .milliseconds(400))
        }
    }

    // MARK: - Cancellation

    @Test func aCancelledCallerIsAnsweredAtOnce() async throws {
        try await MongoFixture.withClient { client in
            let records = try await slowCollection(client)
            let task = Task { try await records.findOne(slowly(2000), deadline: .soon) }
            try await waitForRunning(1, client)
            let start = ContinuousClock.now
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(start.duration(to: .now) < .milliseconds(500))
        }
    }

    @Test func aCancelledOperationThatWaitsIsNotStartedAndGivesUpItsPlace() async throws {
        try await MongoFixture.withClient {
            $0.poolThreads = 1
            $0.maxQueuedOperations = 1
        } _: { client in
            let records = try await slowCollection(client)
            async let slow = records.findOne(slowly(600), deadline: .soon)
            try await waitForRunning(1, client)
            let waiting = Task { try await records.insert(["_id": 2], deadline: .soon) }
            try await Task.sleep(for: .milliseconds(50))
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
            try await records.insert(["_id": 3], deadline: .soon)
            _ = try await slow
            let found = try await records.find(sort: ["_id": 1], limit: 10, deadline: .soon)
            #expect(found == [["_id": 1], ["_id": 3]])
        }
    }

    @Test func aTaskThatIsCancelledAlreadyDoesNothing() async throws {
        try await MongoFixture.withClient { client in
            let records = try await slowCollection(client)
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await records.insert(["_id": 2], deadline: .soon)
            }
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(try await records.count(deadline: .soon) == 1)
        }
    }

    // MARK: - Shutdown

    @Test func shutdownFailsWhatWaitsAndFinishesWhatRuns() async throws {
        try await MongoFixture.withClient {
            $0.poolThreads = 1
        } _: { client in
            let records = try await slowCollection(client)
            let running = Task { try await records.findOne(slowly(500), deadline: .soon) }
            try await waitForRunning(1, client)
            let waiting = Task {
                try await MongoFixture.error { try await records.insert(["_id": 2], deadline: .soon) }
            }
            try await Task.sleep(for: .milliseconds(50))
            async let first: Void = client.shutdown()
            async let second: Void = client.shutdown()
            #expect(try await waiting.value?.kind == .closed)
            #expect(try await running.value != nil)
            _ = await (first, second)
            await client.shutdown()
            let late = try await MongoFixture.error { try await client.ping(deadline: .soon) }
            #expect(late?.kind == .closed)
        }
    }

    @Test func aClientThatIsForgottenEndsItsThreads() async throws {
        func threads() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").filter { task in
                let name = try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8)
                return name?.hasPrefix("mongo-63") == true
            }.count
        }
        var configuration = MongoConfiguration(uri: try MongoFixture.uri(), database: "d")
        // No other test has so many: thread 63 can only be this client's.
        configuration.poolThreads = 64
        var client: MongoClient? = try MongoClient(configuration: configuration, logger: MongoFixture.logger)
        try await client?.ping(deadline: .soon)
        #expect(try threads() == 1)
        client = nil
        for _ in 0..<200 where try threads() > 0 {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(try threads() == 0)
    }
}
