import ServiceKit
import Testing

struct StartupTests {
    private struct NotThere: Error, CustomStringConvertible {
        let description = "nobody is there"
    }

    private let log = RecordedLog()

    @Test func whatSucceedsAtOnceIsNotTold() async throws {
        var attempts = 0
        try await Startup.wait(for: "the database", logger: log.logger) { attempts += 1 }
        #expect(attempts == 1)
        #expect(log.lines.isEmpty)
    }

    @Test func aStartGoesOnWhenWhatItWaitsForIsThereAndTellsOnce() async throws {
        var attempts = 0
        try await Startup.wait(for: "the database", logger: log.logger) {
            attempts += 1
            if attempts < 3 { throw NotThere() }
        }
        #expect(attempts == 3)
        #expect(log.lines == ["warning: Waiting for the database: nobody is there"])
    }

    @Test func aStartThatIsGivenUpNamesWhatItWaitedFor() async {
        let error = await #expect(throws: (any Error).self) {
            try await Startup.wait(for: "the database", atMost: 1, logger: log.logger) { throw NotThere() }
        }
        #expect(
            error.map { "\($0)" } == "the database was not there within 1 s (START_SECONDS): nobody is there")
        #expect(log.lines == ["warning: Waiting for the database: nobody is there"])
    }

    @Test func whatNoWaitingMendsIsNotWaitedFor() async {
        var attempts = 0
        await #expect(throws: SettingError.self) {
            try await Startup.wait(for: "the database", logger: log.logger) {
                attempts += 1
                throw SettingError("DBNAME", reason: "it is of a newer version")
            }
        }
        #expect(attempts == 1)
        #expect(log.lines.isEmpty)
    }

    @Test func aCancelledStartEndsAtOnce() async {
        let logger = log.logger
        let start = ContinuousClock.now
        let task = Task {
            try await Startup.wait(for: "the database", logger: logger) { throw NotThere() }
        }
        try? await Task.sleep(for: .milliseconds(50))
        task.cancel()
        await #expect(throws: (any Error).self) { try await task.value }
        #expect(start.duration(to: .now) < .seconds(Startup.maxWaitSeconds / 2))
    }
}
