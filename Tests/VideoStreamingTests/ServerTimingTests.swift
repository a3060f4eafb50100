import Testing

@testable import VideoStreaming

struct ServerTimingTests {
    @Test func itSaysHowLongEachStepTookAndWhereTheBytesCameFrom() throws {
        var timing = ServerTiming()
        timing.found()
        timing.hasFirst(from: .storage)
        let parts = timing.description.split(separator: ", ")
        try #require(parts.count == 2)
        #expect(parts[0].hasPrefix("find;dur="))
        #expect(parts[1].hasPrefix("first;dur=") && parts[1].hasSuffix(";desc=storage"))
    }
}
