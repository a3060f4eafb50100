import FoundationEssentials
import Mongo
import Testing

@Suite struct MongoClientTests {
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
        #expect(start.duration(to: .now) > .milliseconds(400))
        await client.shutdown()
    }

    @Test func anUnreachableServerIsUnavailableWithinTheDeadline() async throws {
        // Looking for a server takes three seconds by default; the caller is told earlier, and in other words.
        let client = try MongoClient(
            configuration: MongoConfiguration(uri: "mongodb://127.0.0.1:1", database: "d"), logger: MongoFixture.logger)
        let start = ContinuousClock.now
        let error = try await MongoFixture.error { try await client.ping(deadline: .now + .milliseconds(300)) }
        #expect(error?.kind == .unavailable)
        #expect(error?.message.contains("before the deadline") == true)
        #expect(start.duration(to: .now) > .milliseconds(290))
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
            try await MongoThreads.with(client) { threads in
                let start = ContinuousClock.now
                let error = try await MongoFixture.error {
                    _ = try await threads.records.findOne(MongoThreads.slow, deadline: .now + .milliseconds(300))
                }
                #expect(error?.kind == .deadlineExceeded)
                #expect((.milliseconds(290)..<(.seconds(30))).contains(start.duration(to: .now)))
            }
        }
    }

    @Test func theServerIsToldTheDeadline() async throws {
        try await MongoFixture.withClient {
            // Longer than the query, as the server also ends what a closed connection had asked for.
            $0.socketTimeoutMilliseconds = 90_000
        } _: { client in
            try await MongoThreads.with(client) { threads in
                let start = ContinuousClock.now
                let task = Task { [records = threads.records] in
                    try await records.findOne(MongoThreads.slow, deadline: .now + .seconds(10))
                }
                try await threads.wait { !$0.isEmpty }
                let error = try await MongoFixture.error { _ = try await task.value }
                #expect(error?.kind == .deadlineExceeded)
                // Nothing goes on there for a caller that has been answered.
                try await threads.wait { $0.isEmpty }
                #expect(start.duration(to: .now) < .seconds(45))
            }
        }
    }

    @Test func workWhoseDeadlineHasPassedIsNotStarted() async throws {
        try await MongoFixture.withClient {
            $0.poolThreads = 1
        } _: { client in
            try await MongoThreads.with(client) { threads in
                // Many times, as either the thread or the timekeeper may be the first to see it.
                for id: Int32 in 100..<200 {
                    let past = try await MongoFixture.error {
                        try await threads.records.insert(["_id": .int32(id)], deadline: .now - .milliseconds(1))
                    }
                    #expect(past?.kind == .deadlineExceeded)
                }
                _ = try await threads.occupy(1)
                // The only thread is taken; the answer can only come from the timekeeper.
                let waiting = try await MongoFixture.error {
                    try await threads.records.insert(["_id": 2], deadline: .now + .milliseconds(100))
                }
                #expect(waiting?.kind == .deadlineExceeded)
                try await threads.release()
                #expect(try await threads.records.count(deadline: .soon) == 1)
            }
        }
    }

    // MARK: - The queue

    @Test func theQueueIsBounded() async throws {
        try await MongoFixture.withClient {
            $0.poolThreads = 1
            $0.maxQueuedOperations = 2
        } _: { client in
            try await MongoThreads.with(client) { threads in
                _ = try await threads.occupy(1)
                try await withThrowingTaskGroup(of: MongoError.Kind?.self) { group in
                    for _ in 0..<5 {
                        group.addTask {
                            try await MongoFixture.error { try await client.ping(deadline: .soon) }?.kind
                        }
                    }
                    // The only thread is taken: three are refused at once, and two wait for their turn.
                    for _ in 0..<3 {
                        let outcome = try await group.next()
                        #expect(outcome == .overloaded)
                    }
                    try await threads.release()
                    for _ in 0..<2 {
                        let outcome = try await group.next()
                        #expect(outcome == .some(nil))
                    }
                }
            }
        }
    }

    @Test func callersDoNotBlockTheCooperativePool() async throws {
        // More at once than the pool has threads.
        let count = ProcessInfo.processInfo.activeProcessorCount + 4
        try await MongoFixture.withClient {
            $0.poolThreads = count
        } _: { client in
            try await MongoThreads.with(client) { threads in
                // It waits until all of them run at once.
                _ = try await threads.occupy(count)
            }
        }
    }

    // MARK: - Cancellation

    @Test func aCancelledCallerIsAnsweredAtOnce() async throws {
        try await MongoFixture.withClient { client in
            try await MongoThreads.with(client) { threads in
                let tasks = try await threads.occupy(1)
                tasks[0].cancel()
                await #expect(throws: CancellationError.self) { try await tasks[0].value }
                #expect(try await threads.running().count == 1)
            }
        }
    }

    @Test func aCancelledOperationThatWaitsIsNotStartedAndGivesUpItsPlace() async throws {
        try await MongoFixture.withClient {
            $0.poolThreads = 1
            $0.maxQueuedOperations = 1
        } _: { client in
            try await MongoThreads.with(client) { threads in
                _ = try await threads.occupy(1)
                let first = try await waitingInsert(2, threads)
                first.cancel()
                await #expect(throws: CancellationError.self) { try await first.value }
                // The place is free: this waits in it until its deadline, and is not refused.
                let probe = try await MongoFixture.error { try await client.ping(deadline: .now + .milliseconds(50)) }
                #expect(probe?.kind == .deadlineExceeded)
                let second = try await waitingInsert(3, threads)
                try await threads.release()
                _ = try await second.value
                let found = try await threads.records.find(sort: ["_id": 1], limit: 10, deadline: .soon)
                #expect(found == [["_id": 1], ["_id": 3]])
            }
        }
    }

    /// An insert that waits in a queue for one, which is full then.
    private func waitingInsert(_ id: Int32, _ threads: MongoThreads) async throws -> Task<BSON, any Error> {
        let task = Task { [records = threads.records] in
            while true {
                do {
                    return try await records.insert(["_id": .int32(id)], deadline: .soon)
                } catch let error as MongoError where error.kind == .overloaded {
                    // The probe below had the place.
                    try await Task.sleep(for: .milliseconds(1))
                }
            }
        }
        for _ in 0..<2000 {
            let probe = try await MongoFixture.error {
                try await threads.client.ping(deadline: .now + .milliseconds(5))
            }
            if probe?.kind == .overloaded { return task }
            try await Task.sleep(for: .milliseconds(10))
        }
        task.cancel()
        Issue.record("the insert never came to wait")
        return task
    }

    @Test func aTaskThatIsCancelledAlreadyDoesNothing() async throws {
        try await MongoFixture.withClient { client in
            let records = client.collection("records", of: BSONDocument.self)
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await records.insert(["_id": 2], deadline: .soon)
            }
            await #expect(throws: CancellationError.self) { try await task.value }
            let count = try await records.count(deadline: .soon)
            #expect(count == 0)
        }
    }

    // MARK: - Shutdown

    @Test func shutdownFailsWhatWaitsAndFinishesWhatRuns() async throws {
        try await MongoFixture.withClient {
            $0.poolThreads = 1
            $0.maxQueuedOperations = 1
        } _: { client in
            try await MongoThreads.with(client) { threads in
                let running = try await threads.occupy(1)
                let waiting = try await waitingInsert(2, threads)
                async let first: Void = client.shutdown()
                async let second: Void = client.shutdown()
                let refusal = try await MongoFixture.error { _ = try await waiting.value }
                #expect(refusal?.kind == .closed)
                try await threads.release()
                // It got the server's answer: Interrupted, for the test ended it.
                let answer = try await MongoFixture.error { _ = try await running[0].value }
                #expect(answer?.kind == .commandFailed(code: 11601))
                _ = await (first, second)
                await client.shutdown()
                let late = try await MongoFixture.error { try await client.ping(deadline: .soon) }
                #expect(late?.kind == .closed)
            }
        }
    }

    @Test func aClientThatIsForgottenEndsItsThreads() async throws {
        // libmongoc's own threads inherit the name of the one that was first to take a connection.
        func hasThreads() throws -> Bool {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").contains { task in
                let name = try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8)
                return name?.hasPrefix("mongo-63") == true
            }
        }
        func wait(forThreads expected: Bool) async throws {
            for _ in 0..<1000 {
                if try hasThreads() == expected { return }
                try await Task.sleep(for: .milliseconds(10))
            }
            Issue.record("the threads are \(expected ? "missing" : "still there")")
        }
        var configuration = MongoConfiguration(uri: try MongoFixture.uri(), database: "d")
        // No other test has so many: thread 63 can only be this client's.
        configuration.poolThreads = 64
        var client: MongoClient? = try MongoClient(configuration: configuration, logger: MongoFixture.logger)
        try await client?.ping(deadline: .soon)
        try await wait(forThreads: true)
        // Without this it could be forgotten after its last use already.
        withExtendedLifetime(client) {}
        client = nil
        try await wait(forThreads: false)
    }
}
