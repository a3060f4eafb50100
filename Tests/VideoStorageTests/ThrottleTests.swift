import Domain
import NIOCore
import NIOHTTP1
import Testing

@testable import VideoStorage

@Suite(.timeLimit(.minutes(1))) struct ThrottleTests {
    private func reply(_ status: Int, _ seconds: String?) -> HTTPReply {
        HTTPReply(status: status, headers: seconds.map { ["Retry-After": $0] } ?? [:], body: ByteBuffer())
    }

    @Test(arguments: [429, 503])
    func serviceThatWantsToBeLeftAloneIsLeftAlone(_ status: Int) async throws {
        let throttle = Throttle()
        throttle.heed(reply(status, "1"), from: "busy")
        let start = ContinuousClock.now
        try await throttle.wait(for: "other", deadline: .soon)
        #expect(start.duration(to: .now) < .milliseconds(900))
        #expect(
            await code { try await throttle.wait(for: "busy", deadline: .after(.milliseconds(500))) } == .overloaded)
        #expect(start.duration(to: .now) < .milliseconds(900))
        try await throttle.wait(for: "busy", deadline: .soon)
        #expect(start.duration(to: .now) >= .milliseconds(990))
    }

    @Test func otherAnswersAreNoReasonToWait() async throws {
        let throttle = Throttle()
        for other in [reply(503, nil), reply(503, "soon"), reply(503, "-1"), reply(200, "9"), reply(500, "9")] {
            throttle.heed(other, from: "host")
        }
        try await throttle.wait(for: "host", deadline: .after(.milliseconds(100)))
    }
}
