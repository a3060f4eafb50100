import AMQP
import NIOCore
import Synchronization
import TestKit
import Testing

/// A client of a broker that sends what no broker sends. Whatever comes is put together, or refused with a reason and a
/// new connection; it never ends the process, and nothing waits for ever.
@Suite(.serialized, .timeLimit(.minutes(2))) struct MalformedFrameTests {
    /// A consuming client of a fake broker, and all that it is told.
    private struct Listener: Sendable {
        let client: AMQPClient
        let received = Collected<Delivery>()
        let lost = Collected<AMQPError>()
        let log = RecordedLog()

        init(_ broker: FakeBroker, consumers: Int = 1) throws {
            let configuration = TestBroker.impatient("fake", at: try TestBroker.address(port: broker.port))
            client = try AMQPClient(configuration, logger: log.logger)
            for _ in 0..<consumers {
                client.addConsumer(
                    Consumer(
                        queue: .fixed("q"), prefetchCount: 10,
                        onDelivery: { [client, received] delivery in
                            received.add(delivery)
                            client.acknowledge(delivery.token)
                        }, onInactive: { [lost] in lost.add($0) }))
            }
        }
    }

    /// The bytes that come after the first consumer of a broker has begun; later ones get a message that is right.
    private func script(first pieces: [[UInt8]]) -> FakeBroker.Script {
        let isFirst = Mutex(true)
        return FakeBroker.Script(afterConsume: { request in
            let sendsFirst = isFirst.withLock { first in
                defer { first = false }
                return first
            }
            return sendsFirst ? pieces : [AMQPFrame.delivery(channel: request.channel, Array("good".utf8))]
        })
    }

    @Test func aMessageMayBeSplitAtEveryByte() async throws {
        let body = (0..<40).map { UInt8($0) }
        let whole = AMQPFrame.delivery(channel: 2, body)
        let halves = (1..<whole.count).flatMap { [Array(whole[..<$0]), Array(whole[$0...])] }
        let broker = try await FakeBroker.start(script(first: halves + whole.map { [$0] }))
        let listener = try Listener(broker)
        try await withRunning([listener.client]) {
            try await eventually("every message comes") { listener.received.count == whole.count }
        }
        await broker.close()
        for delivery in listener.received.all {
            #expect(delivery.message.body == ByteBuffer(bytes: body))
            #expect(delivery.message.properties.correlationID == "id")
            #expect(delivery.message.properties.headers == ["name": .string("value")])
            #expect(delivery.routingKey == "key")
        }
        #expect(listener.lost.all.map(\.kind) == [.closed])
    }

    @Test func messagesOfSeveralChannelsMayBeInterleaved() async throws {
        let pieces: [[UInt8]] = [
            AMQPFrame.deliver(channel: 2), AMQPFrame.deliver(channel: 3),
            AMQPFrame.header(channel: 3, bodyBytes: 4), AMQPFrame.header(channel: 2, bodyBytes: 3),
            AMQPFrame.body(channel: 2, [1]), AMQPFrame.body(channel: 3, [11, 12]),
            AMQPFrame.raw(type: 8, channel: 0, []),
            AMQPFrame.body(channel: 2, [2, 3]) + AMQPFrame.body(channel: 3, [13]), AMQPFrame.body(channel: 3, [14]),
        ]
        let begun = Mutex(0)
        let broker = try await FakeBroker.start(
            .init(afterConsume: { _ in
                begun.withLock { count in
                    count += 1
                    return count == 2 ? pieces : []
                }
            }))
        let listener = try Listener(broker, consumers: 2)
        try await withRunning([listener.client]) {
            try await eventually("both come") { listener.received.count == 2 }
        }
        await broker.close()
        let bodies = listener.received.all.map { Array($0.message.body.readableBytesView) }
        #expect(bodies == [[1, 2, 3], [11, 12, 13, 14]])
    }

    struct Malformed: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var bytes: [UInt8]
    }

    private static let malformed: [Malformed] = {
        let start = AMQPFrame.deliver(channel: 2)
        let header = AMQPFrame.header(channel: 2, bodyBytes: 2)
        let tag = AMQPFrame.bytes(UInt64(1))
        func properties(_ table: [UInt8]) -> [UInt8] {
            start + AMQPFrame.header(channel: 2, bodyBytes: 0, properties: [0x20, 0x00] + table)
        }
        return [
            .init(
                testDescription: "a wrong end of a frame",
                bytes: start + header + AMQPFrame.raw(type: 3, channel: 2, [1, 2], end: 0)),
            .init(
                testDescription: "a header that is cut short",
                bytes: start + AMQPFrame.raw(type: 2, channel: 2, [0, 60, 0, 0, 0])),
            .init(testDescription: "a header of nothing", bytes: start + AMQPFrame.raw(type: 2, channel: 2, [])),
            .init(testDescription: "a method that is cut short", bytes: AMQPFrame.raw(type: 1, channel: 2, [0, 60])),
            .init(testDescription: "a method of nothing", bytes: AMQPFrame.raw(type: 1, channel: 2, [])),
            .init(
                testDescription: "a delivery that is cut short",
                bytes: AMQPFrame.method(.deliver, channel: 2, [255] + tag)),
            .init(
                testDescription: "a frame over the agreed size",
                bytes: AMQPFrame.raw(type: 3, channel: 2, [1], size: 131_073)),
            .init(
                testDescription: "a size of all bits", bytes: AMQPFrame.raw(type: 1, channel: 2, [], size: .max)),
            .init(
                testDescription: "more body than announced",
                bytes: start + header + AMQPFrame.body(channel: 2, [1, 2, 3])),
            .init(
                testDescription: "a header of another class",
                bytes: start
                    + AMQPFrame.header(channel: 2, bodyBytes: 0, classID: 10, properties: [0xFF, 0xFE])),
            .init(
                testDescription: "a header of an unknown class",
                bytes: start + AMQPFrame.header(channel: 2, bodyBytes: 0, classID: 61)),
            .init(testDescription: "a header without a method", bytes: header),
            .init(testDescription: "a body without a header", bytes: start + AMQPFrame.body(channel: 2, [1])),
            .init(testDescription: "a message inside a message", bytes: start + header + start),
            .init(
                testDescription: "a message on a channel that was never opened",
                bytes: AMQPFrame.delivery(channel: 99, [1])),
            .init(
                testDescription: "the close of a channel that was never opened",
                bytes: AMQPFrame.method(
                    .channelClose, channel: 99, [0, 200] + AMQPFrame.short("x") + [0, 0, 0, 0])),
            // librabbitmq passes it over, and keeps memory for its channel, whatever that is.
            .init(testDescription: "a frame of an unknown type", bytes: AMQPFrame.raw(type: 9, channel: 2, [1, 2, 3])),
            .init(testDescription: "an unknown method", bytes: AMQPFrame.method(.init(99, 99), channel: 2)),
            .init(
                testDescription: "the answer to a question that nobody asked",
                bytes: AMQPFrame.method(
                    .init(60, 71), channel: 2, tag + [0] + AMQPFrame.short("") + AMQPFrame.short("k") + [0, 0, 0, 1])
                    + header),
            .init(
                testDescription: "a table longer than its frame",
                bytes: properties(AMQPFrame.bytes(UInt32(1_000)) + [1, 65, 86])),
            .init(
                testDescription: "a table with a value of an unknown kind",
                bytes: properties(AMQPFrame.table([1, 65, UInt8(ascii: "?"), 0]))),
            .init(
                testDescription: "a table with a text longer than the table",
                bytes: properties(AMQPFrame.table([1, 65, UInt8(ascii: "S"), 255, 255, 255, 255]))),
            .init(
                testDescription: "the end of the connection",
                bytes: AMQPFrame.method(.close, channel: 0, [1, 64] + AMQPFrame.short("enough") + [0, 0, 0, 0])),
        ]
    }()

    @Test(arguments: malformed)
    func whatIsMalformedIsRefusedWithAReasonAndANewConnection(_ malformed: Malformed) async throws {
        let broker = try await FakeBroker.start(script(first: [malformed.bytes]))
        let listener = try Listener(broker)
        try await withRunning([listener.client]) {
            try await eventually("a good message on a new connection") { listener.received.count == 1 }
        }
        await broker.close()
        #expect(broker.connectionCount == 3)
        #expect(listener.received.all.map(\.message.body) == [ByteBuffer(string: "good")])
        let error = try #require(listener.lost.all.first)
        #expect([.connectionLost, .protocolViolation].contains(error.kind))
        #expect(error.message.count > 20)
        #expect(listener.log.lines.contains { $0.hasPrefix("warning") && $0.contains(error.message) })
    }

    @Test(arguments: ["F", "A"])
    func tablesNestedAsDeepAsAFrameAllowsAreCutOff(_ kind: String) async throws {
        // 21,000 tables, or 26,000 arrays, each inside the one before: as many as one frame holds.
        let isTable = kind == "F"
        let levels = isTable ? 21_000 : 26_000
        var nested: [UInt8] = []
        let step = isTable ? 6 : 5
        for level in 0..<levels {
            let size = AMQPFrame.bytes(UInt32((levels - 1 - level) * step))
            nested += (isTable ? [0, UInt8(ascii: "F")] : [UInt8(ascii: "A")]) + size
        }
        let table = AMQPFrame.table(isTable ? nested : [0] + nested)
        let header = AMQPFrame.header(channel: 2, bodyBytes: 1, properties: [0x20, 0x00] + table)
        let pieces = [AMQPFrame.deliver(channel: 2) + header + AMQPFrame.body(channel: 2, [7])]
        let broker = try await FakeBroker.start(script(first: pieces))
        let listener = try Listener(broker)
        try await withRunning([listener.client]) {
            try await eventually("the message comes") { listener.received.count == 1 }
        }
        await broker.close()
        #expect(listener.received.all.map(\.message.body) == [ByteBuffer(bytes: [7])])
    }
}
