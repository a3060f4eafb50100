import Testing

@testable import AMQP

/// What is asked for where everything may be made, and where an administrator has made what stays.
struct DeclarationModeTests {
    private let declarations: [Declaration] = [
        .exchange(name: "x", kind: .topic),
        .queue(Queue(name: .fixed("own"), lifetime: .durable)),
        .binding(queue: .fixed("own"), exchange: "x", routingKey: .queueName),
        .queue(Queue(name: .fixed("given"), lifetime: .durable, mayBeProvided: true)),
        .binding(queue: .fixed("given"), exchange: "x", routingKey: .fixed("k")),
    ]

    private func requests(_ mode: DeclarationMode) -> [ChannelRequest] {
        var names: [QueueName: String] = [:]
        let requests = mode.requests(for: declarations, &names)
        #expect(names == [.fixed("own"): "own", .fixed("given"): "given"])
        return requests
    }

    @Test func onABareBrokerEverythingIsMade() {
        #expect(
            requests(.making) == [
                .declareExchange("x", .topic), .declareQueue("own", .durable, [:]),
                .bindQueue("own", exchange: "x", routingKey: "own"), .declareQueue("given", .durable, [:]),
                .bindQueue("given", exchange: "x", routingKey: "k"),
            ])
    }

    @Test func whatIsProvidedIsOnlyLookedAt() {
        #expect(
            requests(.looking) == [
                .inspectExchange("x"), .declareQueue("own", .durable, [:]),
                .bindQueue("own", exchange: "x", routingKey: "own"), .inspectQueue("given"),
            ])
    }

    @Test func aRefusalTellsWhichBrokerThisIs() {
        func after(_ code: UInt16, _ mode: DeclarationMode) -> DeclarationMode {
            mode.after(AMQPError(.channelClosed(code: code), "refused"))
        }
        #expect(after(403, .making) == .looking)
        #expect(after(403, .looking) == .looking)
        // What should have been provided is not there.
        #expect(after(404, .looking) == .making)
        #expect(after(406, .making) == .making)
        #expect(DeclarationMode.looking.after(AMQPError(.connectionLost, "gone")) == .looking)
    }
}
