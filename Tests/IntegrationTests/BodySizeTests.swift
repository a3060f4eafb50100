import AMQP
import NIOCore
import Testing

/// Round trips by size of the body. 131,064 bytes are one full body frame, of which librabbitmq takes the end for the middle
/// (`MisbehavingBrokerTests.nothingIsHeldBackWhereFramesAreSmall` tells more).
@Suite(.serialized, .timeLimit(.minutes(1))) struct BodySizeTests {
    @Test func noBodySizeIsHeldBackByTheKernel() async throws {
        let name = TestBroker.unique("cork")
        let queue = Queue(name: .fixed(name), lifetime: .durable, arguments: ["x-expires": .int(60_000)])
        let client = try TestBroker.client("cork", declarations: [.queue(queue)])
        let received = Collected<Int>()
        client.addConsumer(
            Consumer(queue: .fixed(name), prefetchCount: 10) { delivery in
                received.add(delivery.message.body.readableBytes)
                client.acknowledge(delivery.token)
            })
        try await withRunning([client]) {
            try await eventually("connected") { client.isConnected }
            var figures: [String] = []
            for size in [0, 1, 131_063, 131_064, 131_065, 262_128, 524_256] {
                let message = Message(body: ByteBuffer(repeating: 1, count: size))
                var best = Duration.seconds(10)
                // The best of ten: a body that is held back takes 200 ms each time, a busy machine only sometimes.
                for _ in 0..<10 {
                    let before = received.count
                    let took = try await time {
                        try client.publish(message, exchange: "", routingKey: name, isMandatory: true) { _ in }
                        while received.count == before {
                            try await Task.sleep(for: .milliseconds(1))
                        }
                    }
                    best = min(best, took)
                }
                #expect(received.all.last == size)
                #expect(best < .milliseconds(150), "\(size) bytes")
                figures.append("\(size): \(best)")
            }
            tellFigure("best round trips by body size: \(figures.joined(separator: ", "))")
        }
    }
}
