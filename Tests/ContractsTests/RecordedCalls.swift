import Domain
import RPC
import Synchronization

/// Passes calls on and keeps what was asked and answered.
final class RecordedCalls: RPCCalling {
    struct Call {
        var method: RPCMethod
        var request: RPCPayload
        var reply: RPCPayload
        var deadline: Deadline
    }

    private let next: any RPCCalling
    private let recorded = Mutex<[Call]>([])

    var calls: [Call] { recorded.withLock { $0 } }

    init(_ next: any RPCCalling) {
        self.next = next
    }

    func call(
        _ method: RPCMethod, _ payload: RPCPayload, deadline: Deadline
    ) async throws(ServiceError) -> RPCPayload {
        let reply = try await next.call(method, payload, deadline: deadline)
        recorded.withLock { $0.append(Call(method: method, request: payload, reply: reply, deadline: deadline)) }
        return reply
    }
}
