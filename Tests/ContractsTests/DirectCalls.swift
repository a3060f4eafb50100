import Domain

@testable import RPC

/// Calls that go straight to a router in this process: what crosses is the payloads, and nothing else.
struct DirectCalls: RPCCalling {
    let router: RPCRouter

    func call(
        _ method: RPCMethod, _ payload: RPCPayload, deadline: Deadline
    ) async throws(ServiceError) -> RPCPayload {
        let context = RPCContext(deadline: deadline, callID: "1", isRedelivered: false)
        return try await router.handler(for: method.name)(payload, context)
    }
}

/// Answers every call with the same payload, whatever was asked.
struct CannedReply: RPCCalling {
    let reply: RPCPayload

    func call(
        _ method: RPCMethod, _ payload: RPCPayload, deadline: Deadline
    ) async throws(ServiceError) -> RPCPayload {
        reply
    }
}
