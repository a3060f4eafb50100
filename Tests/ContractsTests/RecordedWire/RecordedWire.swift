import AMQP
import Domain
import Foundation
import Synchronization

@testable import RPC

/// What crossed the wire in ``WireScenario``: calls in their order, and events.
struct RecordedWire: Codable, Equatable {
    struct Call: Codable, Equatable {
        var queue: String
        var request: RecordedMessage
        var reply: RecordedMessage
    }

    var calls: [Call]
    var events: [RecordedMessage]

    /// The messages of the version before, in the repository.
    static var file: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("wire.json")
    }

    /// Reads the file.
    static func stored() throws -> RecordedWire {
        try JSONDecoder().decode(RecordedWire.self, from: Data(contentsOf: file))
    }

    /// Writes the file anew.
    func store() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try (encoder.encode(self) + Data("\n".utf8)).write(to: Self.file)
    }
}

/// Has calls answered in this process, and keeps the messages that would have crossed.
final class RecordingCalls: RPCCalling {
    private let router: RPCRouter
    private let recorded = Mutex<[RecordedWire.Call]>([])

    var calls: [RecordedWire.Call] { recorded.withLock { $0 } }

    init(router: RPCRouter) {
        self.router = router
    }

    func call(
        _ method: RPCMethod, _ payload: RPCPayload, deadline: Deadline
    ) async throws(ServiceError) -> RPCPayload {
        let result = await router.answer(method.name, payload, deadline)
        let call = RecordedWire.Call(
            queue: method.queue,
            request: RecordedMessage(Message(request: payload), type: method.name),
            reply: RecordedMessage(Message(result: result)))
        recorded.withLock { $0.append(call) }
        return try result.get()
    }
}

/// Answers calls with the replies that were recorded, with what a later version may add.
final class ReplayingCalls: RPCCalling {
    private struct State {
        var rest: ArraySlice<RecordedWire.Call>
        var wrong: [String] = []
    }

    private let state: Mutex<State>

    /// What was asked otherwise than it was recorded.
    var wrong: [String] {
        state.withLock { $0.wrong + ($0.rest.isEmpty ? [] : ["\($0.rest.count) calls are missing"]) }
    }

    init(_ calls: [RecordedWire.Call]) {
        state = Mutex(State(rest: calls[...]))
    }

    func call(
        _ method: RPCMethod, _ payload: RPCPayload, deadline: Deadline
    ) async throws(ServiceError) -> RPCPayload {
        let asked = RecordedMessage(Message(request: payload), type: method.name)
        let expected = state.withLock { state -> RecordedWire.Call? in
            let call = state.rest.popFirst()
            if call?.queue != method.queue || call?.request.isContained(in: asked) != true {
                state.wrong.append("\(method.name): \(asked), not \(String(describing: call?.request))")
            }
            return call
        }
        guard let expected, let reply = try? expected.reply.message(withAdditions: true),
            let status = reply.properties.headers.string("status")
        else { throw ServiceError(.internal, "Nothing was recorded.") }
        return try reply.result(status: status).get()
    }
}

extension Message {
    /// A request as the transport writes it, apart from what is new for each attempt.
    init(request payload: RPCPayload) {
        self.init(
            properties: MessageProperties(contentType: payload.contentType, headers: FieldTable(payload.fields)),
            body: payload.body)
    }
}

extension RPCRouter {
    /// Has a request answered as a worker does.
    func answer(_ method: String, _ payload: RPCPayload, _ deadline: Deadline) async -> Result<RPCPayload, ServiceError>
    {
        do throws(ServiceError) {
            let context = RPCContext(deadline: deadline, callID: "1", isRedelivered: false)
            return .success(try await handler(for: method)(payload, context))
        } catch {
            return .failure(error)
        }
    }
}
