import Testing

@testable import AMQP

@Suite struct FreshRefusalsTests {
    private let start = ContinuousClock.now
    private let route = FreshRefusals.Route(exchange: "requests", routingKey: "queue")
    private let other = FreshRefusals.Route(exchange: "requests", routingKey: "other")

    private func fresh() -> FreshRefusals {
        var refusals = FreshRefusals()
        refusals.connected(now: start)
        refusals.channelOpened()
        return refusals
    }

    @Test func theFirstMessageOfAYoungConnectionMayBeRefusedInPassing() {
        var refusals = fresh()
        #expect(!refusals.channelIsSuspect)
        let isPassing = refusals.refused(route, now: start + .seconds(4))
        #expect(isPassing)
        #expect(refusals.channelIsSuspect)
    }

    @Test func whereSomethingWasAcceptedARefusalMeansAFullQueue() {
        var refusals = fresh()
        refusals.accepted(route)
        let isPassing = refusals.refused(route, now: start)
        #expect(!isPassing)
        #expect(!refusals.channelIsSuspect)
        // Of another queue that says nothing.
        let isPassingElsewhere = refusals.refused(other, now: start)
        #expect(isPassingElsewhere)
        #expect(refusals.channelIsSuspect)
    }

    @Test func onAConnectionThatIsNotYoungTheRefusalCountsButTheChannelIsReplaced() {
        var refusals = fresh()
        let isPassing = refusals.refused(route, now: start + .seconds(5))
        #expect(!isPassing)
        #expect(refusals.channelIsSuspect)
        refusals.channelOpened()
        #expect(!refusals.channelIsSuspect)
    }

    @Test func aFreshChannelHasHadNothingAccepted() {
        var refusals = fresh()
        refusals.accepted(route)
        refusals.channelOpened()
        let isPassing = refusals.refused(route, now: start)
        #expect(isPassing)
    }

    @Test func theMemoryOfRoutesIsBounded() {
        var refusals = fresh()
        for number in 0..<2_000 {
            refusals.accepted(FreshRefusals.Route(exchange: "", routingKey: String(number)))
        }
        let isPassing = refusals.refused(FreshRefusals.Route(exchange: "", routingKey: "0"), now: start)
        #expect(!isPassing)
        let isPassingForTheLast = refusals.refused(
            FreshRefusals.Route(exchange: "", routingKey: "1999"), now: start)
        #expect(isPassingForTheLast)
    }
}
