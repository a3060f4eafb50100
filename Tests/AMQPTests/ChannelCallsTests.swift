import CRabbitMQ
import Testing

@testable import AMQP

struct ChannelCallsTests {
    private let now = ContinuousClock.now
    private let declare = ChannelRequest.declareExchange("x", .direct)

    private func calls(_ requests: ChannelRequest..., on channel: UInt16 = 1) -> ChannelCalls {
        var calls = ChannelCalls()
        for request in requests { calls.asked(request, on: channel, now: now) }
        return calls
    }

    @Test func aChannelAnswersInTheOrderInWhichItWasAsked() throws {
        var calls = calls(.openChannel, declare, .consume("q", isAutomatic: false))
        try calls.answered(.channelOpened, on: 1)
        try calls.answered(.exchangeDeclared, on: 1)
        try calls.answered(.consuming(consumerTag: "c"), on: 1)
        #expect(calls.isEmpty)
    }

    @Test func anotherAnswerIsAViolation() throws {
        var calls = calls(declare)
        let error = #expect(throws: AMQPError.self) { try calls.answered(.queueBound, on: 1) }
        #expect(error?.kind == .protocolViolation && error?.message.contains("declare the exchange x") == true)
    }

    @Test func anAnswerWhereNothingWasAskedIsAViolation() throws {
        var calls = calls(declare)
        #expect(throws: AMQPError.self) { try calls.answered(.exchangeDeclared, on: 2) }
        try calls.answered(.exchangeDeclared, on: 1)
        #expect(throws: AMQPError.self) { try calls.answered(.exchangeDeclared, on: 1) }
    }

    @Test func aRefusalIsOfWhatTheBrokerNamesAndEndsTheRest() throws {
        var calls = calls(declare, .setPrefetch(1))
        #expect(calls.closed(1, because: declare.method) == declare)
        #expect(calls.isEmpty)
    }

    @Test func aChannelThatIsClosedForAMessageRefusesNothingThatWasAsked() {
        var calls = calls(declare)
        #expect(calls.closed(1, because: amqp_method_number_t(AMQP_BASIC_PUBLISH_METHOD)) == nil)
        #expect(calls.isEmpty)
    }

    @Test func aWishToCloseThatCrossesTheBrokersIsStillAnswered() throws {
        var calls = calls(declare, .closeChannel)
        #expect(calls.closed(1, because: declare.method) == declare)
        #expect(!calls.isEmpty)
        try calls.answered(.channelClosed, on: 1)
        #expect(calls.isEmpty)
    }

    @Test func theOldestOfAChannelIsTheOneThatIsLate() {
        var calls = ChannelCalls()
        calls.asked(declare, on: 1, now: now)
        calls.asked(.setPrefetch(1), on: 1, now: now + .seconds(5))
        calls.asked(.openChannel, on: 2, now: now + .seconds(5))
        #expect(calls.overdue(after: .seconds(10), now: now + .seconds(10)) == nil)
        #expect(calls.overdue(after: .seconds(10), now: now + .seconds(11)) == declare)
    }
}
