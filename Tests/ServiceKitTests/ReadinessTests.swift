import ServiceKit
import Testing

struct ReadinessTests {
    private struct NotThere: Error, CustomStringConvertible {
        let description = "nobody is there"
    }

    @Test func withoutChecksNothingIsWrong() async {
        #expect(await Health.problems([]).isEmpty)
    }

    @Test func whatIsWrongIsToldByTheNameOfTheCheck() async {
        let checks = [
            ReadinessCheck("broker", problem: { "not connected" }), ReadinessCheck("disk", problem: { nil }),
            ReadinessCheck("database", attempt: { throw NotThere() }), ReadinessCheck("catalogue", attempt: {}),
        ]
        #expect(
            await Health.problems(checks) == ["broker": "not connected", "database": "nobody is there"])
    }

    /// Whichever answers last: a check that passes does not cover one that fails.
    @Test(arguments: [0, 30])
    func ofTwoChecksOfOneNameTheFailureCounts(_ milliseconds: Int) async {
        let checks = [
            ReadinessCheck(
                "queue",
                problem: {
                    try? await Task.sleep(for: .milliseconds(milliseconds))
                    return "no worker"
                }),
            ReadinessCheck(
                "queue",
                problem: {
                    try? await Task.sleep(for: .milliseconds(30 - milliseconds))
                    return nil
                }),
        ]
        #expect(await Health.problems(checks) == ["queue": "no worker"])
    }

    @Test func checksAreAskedAtOnce() async {
        let checks = (0..<20).map { number in
            ReadinessCheck(
                "\(number)",
                problem: {
                    try? await Task.sleep(for: .milliseconds(200))
                    return "slow"
                })
        }
        let start = ContinuousClock.now
        #expect(await Health.problems(checks).count == 20)
        #expect(start.duration(to: .now) < .seconds(2))
    }
}
