import Testing

@testable import VideoStreaming

struct OpenFileLimitTests {
    @Test(arguments: [(16_384, 20_000, 16_384), (16_384, 1_024, 960), (100, 0, 100), (5, 10, 1), (5, 69, 5)])
    func thereAreNoMoreConnectionsThanFiles(wanted: Int, files: Int, connections: Int) {
        #expect(OpenFileLimit.connections(wanted: wanted, files: files) == connections)
    }

    @Test func aLimitThatWasRaisedIsNotRaisedFurther() {
        let limit = OpenFileLimit.raise()
        #expect(limit > 0)
        #expect(OpenFileLimit.raise() == limit)
    }
}
