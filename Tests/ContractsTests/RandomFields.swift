import NIOCore
import RPC
import TestKit

@testable import Contracts

/// Fields and bodies as another version of a service, a fault of memory or an attacker might send them.
struct RandomFields {
    private static let numbers: [Int64] = [
        0, 0, 0, 1, -1, 10, 4_095, 4_096, 4_096, 4_097, 8_192, 262_144, .max, .min, .max - 1, .max / 4_096,
        .min + 4_096,
        0xFFFF_FFFF,
    ]
    private static let bodies = [0, 0, 10, 4_096].map { ByteBuffer(repeating: 1, count: $0) }
    private static let texts = ["v1", "v1", "v2", "", "a.mp4", "../a", "a\u{0}", "4096", "e\u{301}"]
    private static let names: [String] = [
        ReadFields.key, ReadFields.version, ReadFields.index, ReadFields.chunkBytes, ReadFields.offset, ReadFields.size,
        ReadFields.checksum,
    ]

    private var random: SeededRandom

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
    }

    mutating func isLucky() -> Bool { Bool.random(using: &random) }

    mutating func number() -> Int64 {
        Self.numbers.randomElement(using: &random) ?? 0
    }

    /// Mostly every field, with a value of the right kind.
    mutating func next() -> RPCPayload {
        var fields: [String: RPCValue] = [:]
        for name in Self.names where Int.random(in: 0..<20, using: &random) > 0 {
            let isText = [ReadFields.key, ReadFields.version].contains(name)
            let isRight = Int.random(in: 0..<20, using: &random) > 0
            fields[name] =
                isText == isRight ? .text(Self.texts.randomElement(using: &random) ?? "") : .number(number())
        }
        let body = Self.bodies.randomElement(using: &random) ?? ByteBuffer()
        return RPCPayload(contentType: RPCPayload.bytes, fields: fields, body: body)
    }
}
