import NIOCore
import Testing

@testable import AMQP

@Suite struct FrameAssemblerTests {
    let start = ContentStart.deliver(
        deliveryTag: 7, isRedelivered: false, exchange: "e", routingKey: "k")
    let properties = MessageProperties(type: "storage.read.v1", correlationID: "1")

    private func feed(
        _ assembler: inout FrameAssembler, _ bytes: [UInt8], on channel: UInt16
    ) throws -> AssembledContent? {
        try bytes.withUnsafeBytes { buffer throws in try assembler.accept(.body(buffer, endsFrame: true), on: channel) }
    }

    @Test(arguments: [1, 2, 3, 7, 100, 1_000])
    func aBodyInFragmentsOfAnySizeComesOutWhole(fragmentBytes: Int) throws {
        var assembler = FrameAssembler(maxBodyBytes: 10_000)
        let body = (0..<1_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        #expect(try assembler.accept(.start(start), on: 1) == nil)
        #expect(try assembler.accept(.header(bodyBytes: 1_000, properties: properties), on: 1) == nil)
        var result: AssembledContent?
        for offset in stride(from: 0, to: 1_000, by: fragmentBytes) {
            #expect(result == nil)
            result = try feed(&assembler, Array(body[offset..<min(1_000, offset + fragmentBytes)]), on: 1)
        }
        #expect(result == .message(start, Message(properties: properties, body: ByteBuffer(bytes: body))))
        #expect(assembler.isIdle(1))
    }

    @Test func aMessageWithoutBodyEndsWithItsHeader() throws {
        var assembler = FrameAssembler(maxBodyBytes: 10)
        _ = try assembler.accept(.start(start), on: 1)
        let result = try assembler.accept(.header(bodyBytes: 0, properties: properties), on: 1)
        #expect(result == .message(start, Message(properties: properties)))
    }

    @Test func framesOfSeveralChannelsMayBeInterleaved() throws {
        var assembler = FrameAssembler(maxBodyBytes: 10)
        for channel in UInt16(1)...3 {
            _ = try assembler.accept(.start(start), on: channel)
        }
        for channel in UInt16(1)...3 {
            _ = try assembler.accept(.header(bodyBytes: 2, properties: properties), on: channel)
            #expect(!assembler.isIdle(channel))
        }
        for channel in UInt16(1)...3 { #expect(try feed(&assembler, [UInt8(channel)], on: channel) == nil) }
        for channel in UInt16(1)...3 {
            let whole = Message(properties: properties, body: ByteBuffer(bytes: [UInt8(channel), 9]))
            #expect(try feed(&assembler, [9], on: channel) == .message(start, whole))
        }
    }

    @Test func aBodyOverTheLimitIsPassedOverAndTheNextMessageIsRead() throws {
        var assembler = FrameAssembler(maxBodyBytes: 3)
        _ = try assembler.accept(.start(start), on: 1)
        _ = try assembler.accept(.header(bodyBytes: 4, properties: properties), on: 1)
        #expect(try feed(&assembler, [1, 2], on: 1) == nil)
        #expect(try feed(&assembler, [3, 4], on: 1) == .oversized(start, bodyBytes: 4))
        _ = try assembler.accept(.start(start), on: 1)
        _ = try assembler.accept(.header(bodyBytes: 3, properties: properties), on: 1)
        let whole = Message(properties: properties, body: ByteBuffer(bytes: [5, 6, 7]))
        #expect(try feed(&assembler, [5, 6, 7], on: 1) == .message(start, whole))
    }

    @Test func framesOutOfOrderAreRefused() throws {
        func refuses(_ frames: [ContentFrame]) throws {
            var assembler = FrameAssembler(maxBodyBytes: 10)
            for frame in frames.dropLast() { _ = try assembler.accept(frame, on: 1) }
            let error = #expect(throws: AMQPError.self) { try assembler.accept(#require(frames.last), on: 1) }
            #expect(error?.kind == .protocolViolation)
        }
        let header = ContentFrame.header(bodyBytes: 2, properties: properties)
        let bytes: [UInt8] = [1, 2, 3]
        try bytes.withUnsafeBytes { buffer throws in
            let body = ContentFrame.body(buffer, endsFrame: true)
            try refuses([header])
            try refuses([body])
            try refuses([.start(start), .start(start)])
            try refuses([.start(start), body])
            try refuses([.start(start), header, .start(start)])
            try refuses([.start(start), header, header])
            // Three bytes where two were announced.
            try refuses([.start(start), header, body])
        }
    }

    @Test func anAnnouncedSizeOfAllBitsNeitherCrashesNorAllocates() throws {
        var assembler = FrameAssembler(maxBodyBytes: 16)
        _ = try assembler.accept(.start(start), on: 1)
        #expect(try assembler.accept(.header(bodyBytes: .max, properties: properties), on: 1) == nil)
        #expect(try feed(&assembler, [1], on: 1) == nil)
    }

    @Test func aClosedChannelForgetsWhatItHadBegun() throws {
        var assembler = FrameAssembler(maxBodyBytes: 10)
        _ = try assembler.accept(.start(start), on: 4)
        assembler.reset(4)
        #expect(assembler.isIdle(4))
        #expect(try assembler.accept(.start(start), on: 4) == nil)
    }
}
