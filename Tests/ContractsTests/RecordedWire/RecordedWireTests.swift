import AMQP
import Domain
import Foundation
import NIOCore
import Testing

@testable import RPC

/// Neighbouring versions run side by side while services are upgraded one by one: `wire.json` holds what the version before
/// said, and this one has to understand it, and to say at least as much.
///
/// `MILLRACE_RECORD_WIRE=1` records the file anew, from this tree. That is done once for each release, after it.
struct RecordedWireTests {
    private static let isRecording = ProcessInfo.processInfo.environment["MILLRACE_RECORD_WIRE"] == "1"

    private func recorded() async throws -> (wire: RecordedWire, outcomes: [String]) {
        let calls = RecordingCalls(router: try WireScenario().router)
        let outcomes = try await WireScenario.run(calls)
        let events = try WireScenario.events().map { event in
            RecordedMessage(Message(request: event.payload), type: event.name, messageID: event.id)
        }
        return (RecordedWire(calls: calls.calls, events: events), outcomes)
    }

    private func stored() async throws -> RecordedWire {
        if Self.isRecording {
            let now = try await recorded().wire
            try now.store()
        }
        return try RecordedWire.stored()
    }

    @Test func allThatIsOfferedIsRecorded() async throws {
        let stored = try await stored()
        let now = try await recorded().wire
        #expect(stored.calls.map(\.request.type) == now.calls.map(\.request.type))
        #expect(stored.calls.count == 21)
        #expect(stored.events.map(\.type) == now.events.map(\.type))
    }

    @Test(arguments: [false, true])
    func aWorkerUnderstandsCallersOfTheVersionBefore(withAdditions: Bool) async throws {
        let router = try WireScenario().router
        for call in try await stored().calls {
            let method = try #require(call.request.type)
            let payload = try call.request.message(withAdditions: withAdditions).payload
            let reply = RecordedMessage(Message(result: await router.answer(method, payload, Samples.deadline)))
            #expect(call.reply.isContained(in: reply), "\(method): \(reply), not \(call.reply)")
        }
    }

    @Test func aCallerUnderstandsWorkersOfTheVersionBefore() async throws {
        let replayed = ReplayingCalls(try await stored().calls)
        let outcomes = try await WireScenario.run(replayed)
        #expect(replayed.wrong.isEmpty)
        #expect(outcomes == (try await recorded().outcomes))
    }

    @Test func listenersUnderstandEventsOfTheVersionBefore() async throws {
        let now = try WireScenario.events()
        for (event, stored) in zip(now, try await stored().events) {
            let payload = try stored.message(withAdditions: true).payload
            let heard = Event(
                id: try #require(stored.messageID), name: try #require(stored.type), payload: payload)
            let (told, expected) = (try WireScenario.read(heard), try WireScenario.read(event))
            #expect(heard.id == event.id && told == expected)
        }
    }

    @Test func whatIsMissingOrOtherwiseIsNoticed() throws {
        func message(_ text: String, _ headers: FieldTable = [:]) -> RecordedMessage {
            RecordedMessage(
                Message(
                    properties: MessageProperties(contentType: "application/json", headers: headers),
                    body: .init(string: text)))
        }
        let old = message(#"{"a":1,"b":[{"c":"x"}]}"#, ["n": .int(1)])
        #expect(old.isContained(in: message(#"{"b":[{"c":"x","d":2}],"a":1,"e":null}"#, ["n": .int(1), "m": .int(2)])))
        #expect(!old.isContained(in: message(#"{"a":1,"b":[{"c":"y"}]}"#, ["n": .int(1)])))
        #expect(!old.isContained(in: message(#"{"a":1,"b":[]}"#, ["n": .int(1)])))
        #expect(!old.isContained(in: message(#"{"b":[{"c":"x"}]}"#, ["n": .int(1)])))
        #expect(!old.isContained(in: message(#"{"a":1,"b":[{"c":"x"}]}"#, ["n": .int(2)])))
    }
}
