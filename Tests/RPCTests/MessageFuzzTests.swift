import AMQP
import Domain
import NIOCore
import TestKit
import Testing

@testable import RPC

/// Replies at random (the seed is in the code), as a worker of another version, a fault of memory or an attacker might send
/// them: whatever comes is a result or an error with a code and a text. With MILLRACE_LONG_TESTS=1 there are ten times as
/// many.
struct MessageFuzzTests {
    private static let count = (LongRuns.areWanted ? 10 : 1) * 30_000
    private static let seed: UInt64 = 4_410
    private static let statuses = [
        "ok", "ok", "ok", "ok", "notFound", "conflict", "corrupt", "OK", "", "ok ", "\u{0}", "nobody knows this",
    ]
    private static let bodies = [
        #"{"code":"notFound","message":"There is no such video."}"#, #"{"code":"notFound"}"#, #"{"message":7}"#,
        #"{"message":"\\ud800"}"#, "{", "[]", "null", "", #"{"message":"\u0000"}"#, "\u{FEFF}{}",
    ]

    private var random = SeededRandom(seed: Self.seed)

    private mutating func noise() -> [UInt8] {
        (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }

    private mutating func text() -> String {
        Bool.random(using: &random)
            ? Self.statuses.randomElement(using: &random) ?? "" : String(decoding: noise(), as: UTF8.self)
    }

    private mutating func value(depth: Int = 0) -> FieldValue {
        switch Int.random(in: 0..<(depth < 3 ? 9 : 7), using: &random) {
        case 0: .bool(.random(using: &random))
        case 1: .int(Int64.random(in: .min ... .max, using: &random))
        case 2: .double(.nan)
        case 3: .bytes(noise())
        case 4: .timestamp(.max)
        case 5: .null
        case 6: .string(text())
        case 7: .table([text(): value(depth: depth + 1)])
        default: .array([value(depth: depth + 1)])
        }
    }

    private mutating func message() -> Message {
        var headers = FieldTable()
        for name in ["status", "attempt", "losses", "x-death", "traceparent", "version", text()]
        where Bool.random(using: &random) {
            headers[name] = value()
        }
        if Bool.random(using: &random) { headers["status"] = .string(text()) }
        var body = Array((Self.bodies.randomElement(using: &random) ?? "").utf8)
        if Bool.random(using: &random), !body.isEmpty {
            body[Int.random(in: body.indices, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
        }
        return Message(
            properties: MessageProperties(contentType: Bool.random(using: &random) ? text() : nil, headers: headers),
            body: ByteBuffer(bytes: body))
    }

    @Test mutating func noReplyBreaksACaller() async {
        var (results, errors, malformed) = (0, 0, 0)
        for number in 0..<Self.count {
            if number.isMultiple(of: 100) { await Task.yield() }
            let message = message()
            guard let status = message.properties.headers.string("status") else {
                malformed += 1
                continue
            }
            switch message.result(status: status) {
            case .success(let payload):
                results += 1
                #expect(status == "ok" && payload.body == message.body)
                #expect(!payload.fields.keys.contains { ["status", "attempt", "losses", "x-death"].contains($0) })
            case .failure(let error):
                errors += 1
                #expect(status != "ok" && !error.message.isEmpty)
                // What was read can be written, and read again.
                let again = Message(result: .failure(error))
                guard case .failure(let same) = again.result(status: error.code.rawValue) else {
                    Issue.record("\(error) became a result")
                    return
                }
                #expect(same.code == error.code && same.message == error.message)
            }
        }
        print(
            "fuzz: \(Self.count) replies, seed \(Self.seed): \(results) results, \(errors) errors, \(malformed) malformed"
        )
        #expect(results > Self.count / 20 && errors > Self.count / 10 && malformed > Self.count / 20)
    }
}
