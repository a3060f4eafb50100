import TestKit

/// What a broker sends, with faults put in at random.
struct RandomFrames {
    private static let methods: [AMQPFrame.Method] = [
        .deliver, .deliver, .deliver, .deliver, .ack, .cancel, .channelClose, .close, .init(60, 120), .init(60, 50),
        .init(10, 60), .init(10, 61), .init(60, 71), .init(20, 20), .start, .tune, .init(50, 11), .init(99, 1),
    ]
    private static let kinds = Array("tbBsuIilLfdDSxATFV?".utf8)

    private var random: SeededRandom

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
    }

    private mutating func isLucky(oneIn count: Int) -> Bool { Int.random(in: 0..<count, using: &random) == 0 }

    private mutating func noise(upTo count: Int) -> [UInt8] {
        (0..<Int.random(in: 0...count, using: &random)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }

    private mutating func channel() -> UInt16 { isLucky(oneIn: 30) ? UInt16.random(in: 0...9, using: &random) : 2 }

    /// Up to four messages and methods, half of them with a fault.
    mutating func next() -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            if isLucky(oneIn: 3) { bytes += method() } else { bytes += message() }
        }
        guard isLucky(oneIn: 2), !bytes.isEmpty else { return bytes }
        for _ in 0..<Int.random(in: 1...3, using: &random) { change(&bytes) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        let place = Int.random(in: bytes.indices, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes.removeSubrange(place...)
        case 1: bytes.insert(contentsOf: noise(upTo: 8), at: place)
        case 2: bytes.remove(at: place)
        default: bytes[place] = UInt8.random(in: .min ... .max, using: &random)
        }
    }

    private mutating func method() -> [UInt8] {
        let method = Self.methods.randomElement(using: &random) ?? .deliver
        let arguments: [UInt8]
        switch method {
        case .ack: arguments = AMQPFrame.bytes(UInt64.random(in: 0...9, using: &random)) + [0]
        case .cancel: arguments = AMQPFrame.short("c") + [0]
        case .channelClose: arguments = [1, 148] + AMQPFrame.short("gone") + [0, 0, 0, 0]
        default: arguments = noise(upTo: 40)
        }
        return AMQPFrame.method(method, channel: channel(), arguments)
    }

    private mutating func message() -> [UInt8] {
        let channel = channel()
        let body = noise(upTo: 30)
        var announced = UInt64(body.count)
        if isLucky(oneIn: 20) { announced = [0, 1, 31, 1_000, .max].randomElement(using: &random) ?? 0 }
        let classID: UInt16 =
            isLucky(oneIn: 40) ? [10, 20, 40, 50, 61, 85, 90].randomElement(using: &random) ?? 10 : 60
        let start =
            AMQPFrame.deliver(channel: channel)
            + AMQPFrame.header(channel: channel, bodyBytes: announced, classID: classID, properties: properties())
        let middle = Int.random(in: 0...body.count, using: &random)
        let parts = [Array(body[..<middle]), Array(body[middle...])].filter { !$0.isEmpty }
        return start + parts.flatMap { AMQPFrame.body(channel: channel, $0) }
    }

    /// Flags, and mostly what they announce.
    mutating func properties() -> [UInt8] {
        if isLucky(oneIn: 10) { return noise(upTo: 60) }
        return [0x24, 0x00] + table(depth: 0) + AMQPFrame.short("id")
    }

    /// A table that is mostly right.
    mutating func table(depth: Int) -> [UInt8] {
        var entries: [UInt8] = []
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            entries += AMQPFrame.short(["a", "status", "x-death", ""].randomElement(using: &random) ?? "")
            entries += value(depth: depth)
        }
        if isLucky(oneIn: 40) { entries += noise(upTo: 5) }
        return AMQPFrame.table(entries)
    }

    private mutating func value(depth: Int) -> [UInt8] {
        let kind = Self.kinds.randomElement(using: &random) ?? 0
        let number = UInt64.random(in: .min ... .max, using: &random)
        let content: [UInt8]
        switch kind {
        case UInt8(ascii: "t"), UInt8(ascii: "b"), UInt8(ascii: "B"): content = AMQPFrame.bytes(UInt8(number & 255))
        case UInt8(ascii: "s"), UInt8(ascii: "u"): content = AMQPFrame.bytes(UInt16(number & 0xFFFF))
        case UInt8(ascii: "I"), UInt8(ascii: "i"), UInt8(ascii: "f"): content = AMQPFrame.bytes(UInt32(number >> 32))
        case UInt8(ascii: "l"), UInt8(ascii: "L"), UInt8(ascii: "d"), UInt8(ascii: "T"):
            content = AMQPFrame.bytes(number)
        case UInt8(ascii: "D"): content = [2] + AMQPFrame.bytes(UInt32(number >> 32))
        case UInt8(ascii: "S"), UInt8(ascii: "x"): content = AMQPFrame.long(noise(upTo: 12))
        case UInt8(ascii: "F"): content = depth < 12 ? table(depth: depth + 1) : AMQPFrame.table([])
        case UInt8(ascii: "A"):
            content = AMQPFrame.table(depth < 12 && isLucky(oneIn: 2) ? value(depth: depth + 1) : [])
        default: content = []
        }
        return [kind] + content
    }
}
