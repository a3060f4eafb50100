import Foundation
import Logging
import ServiceContextModule
import Synchronization
import Testing

@testable import ServiceKit

/// The log as one JSON object a line.
struct JSONLogTests {
    private final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock { $0 } }
        func add(_ line: String) { lines.withLock { $0.append(line) } }
    }

    private func logged(
        label: String = "video-test", provider: Logger.MetadataProvider? = nil, _ log: (inout Logger) -> Void
    ) throws -> [[String: Any]] {
        let lines = Lines()
        var logger = Logger(label: label) { label in
            JSONLogHandler(service: "video-test", label: label, metadataProvider: provider) { lines.add($0) }
        }
        log(&logger)
        return try lines.all.map { line in
            #expect(line.hasSuffix("\n") && line.dropLast().allSatisfy { $0 != "\n" })
            return try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
    }

    @Test func aLineHasTimeLevelMessageServiceAndItsMetadata() throws {
        let line = try #require(
            try logged { logger in
                logger[metadataKey: "a"] = "from the logger"
                logger[metadataKey: "b"] = "from the logger"
                logger.warning("It \"broke\"\n\u{1}\\ é 🎬", metadata: ["b": "own", "c": ["x", ["y": "z"]]])
            }.first)
        #expect(line["level"] as? String == "warning")
        #expect(line["message"] as? String == "It \"broke\"\n\u{1}\\ é 🎬")
        #expect(line["service"] as? String == "video-test")
        #expect(line["logger"] == nil)
        #expect(line["a"] as? String == "from the logger")
        #expect(line["b"] as? String == "own")
        let list = try #require(line["c"] as? [Any])
        #expect(list.first as? String == "x")
        #expect(list.last as? [String: String] == ["y": "z"])
        let time = try #require(line["time"] as? String)
        #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
        let date = try Date(time, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        #expect(abs(date.timeIntervalSinceNow) < 60)
    }

    @Test func metadataCannotTakeTheNamesOfALine() throws {
        let line = try #require(
            try logged(label: "library") { $0.error("true", metadata: ["message": "false", "time": "never"]) }.first)
        #expect(line["message"] as? String == "true")
        #expect(line["_message"] as? String == "false")
        #expect(line["_time"] as? String == "never")
        #expect(line["logger"] as? String == "library")
    }

    @Test func aLineBelongsToTheTraceOfItsTask() throws {
        let trace = TraceContext.new()
        var context = ServiceContext.topLevel
        context.trace = trace
        let lines = try logged(provider: LogFormat.trace) { logger in
            logger.info("without")
            ServiceContext.withValue(context) { logger.info("with") }
        }
        #expect(lines[0]["trace_id"] == nil)
        #expect(lines[1]["trace_id"] as? String == trace.traceID)
        #expect(lines[1]["span_id"] as? String == trace.spanID)
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00.007Z"), (951_782_400, "2000-02-29T00:00:00.007Z"),
        (1_709_251_199, "2024-02-29T23:59:59.007Z"), (4_107_542_400, "2100-03-01T00:00:00.007Z"),
        (-1, "1969-12-31T23:59:59.007Z"), (1_735_689_599, "2024-12-31T23:59:59.007Z"),
    ])
    func momentsAreWrittenInUTC(_ seconds: Int, _ text: String) {
        #expect(Timestamp.text(seconds: seconds, milliseconds: 7) == text)
    }
}
