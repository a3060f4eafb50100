import Domain
import Synchronization

@testable import RPC

/// A broker of one queue in memory: joins a client with a server. Messages are values handed over; nothing is lost
/// unless a test says so.
final class InMemoryTransport: ClientTransport, ServerTransport {
    struct Receipt: Sendable, Hashable {
        let number: Int
    }

    private struct State {
        var onEvent: (@Sendable (ClientTransportEvent) -> Void)?
        var onRequest: (@Sendable (IncomingRequest) -> Void)?
        var acknowledged: [String] = []
        var givenBack: [String] = []
        var dropped: [String] = []
        var sent: [OutgoingRequest] = []
        var workers: Int? = 1
        var looksAreAnswered = true
    }

    private let state = Mutex(State())

    var sent: [OutgoingRequest] { state.withLock { $0.sent } }
    var acknowledged: [String] { state.withLock { $0.acknowledged } }
    var givenBack: [String] { state.withLock { $0.givenBack } }
    var dropped: [String] { state.withLock { $0.dropped } }

    func setWorkers(_ count: Int?) { state.withLock { $0.workers = count } }

    /// From now on, a look at a queue takes until it is given up.
    func answerNoLooks() { state.withLock { $0.looksAreAnswered = false } }

    func tell(_ event: ClientTransportEvent) { state.withLock { $0.onEvent }?(event) }

    func deliver(_ request: IncomingRequest) { state.withLock { $0.onRequest }?(request) }

    var executor: (any TaskExecutor)? { nil }

    // MARK: Client

    func start(_ onEvent: @escaping @Sendable (ClientTransportEvent) -> Void) {
        state.withLock { $0.onEvent = onEvent }
    }

    func send(_ request: OutgoingRequest) {
        let onRequest = state.withLock { state in
            state.sent.append(request)
            return state.onRequest
        }
        onRequest?(
            IncomingRequest(
                method: request.method.name, payload: request.payload, deadline: request.deadline,
                callID: request.callID, attempt: request.attempt, isRedelivered: false, replyTo: "here",
                correlation: String(request.correlation), receipt: Receipt(number: 0)))
    }

    func workerCount(of queue: String) async -> Int? {
        let (workers, isAnswered) = state.withLock { ($0.workers, $0.looksAreAnswered) }
        if !isAnswered { try? await Task.sleep(for: .seconds(60)) }
        return workers
    }

    // MARK: Server

    var isServing: Bool { state.withLock { $0.onRequest != nil } }

    func start(_ queues: [ServedQueue], onRequest: @escaping @Sendable (IncomingRequest) -> Void) {
        state.withLock { $0.onRequest = onRequest }
    }

    func stop() async {
        state.withLock { $0.onRequest = nil }
    }

    func reply(to request: IncomingRequest, _ result: Result<RPCPayload, ServiceError>) {
        state.withLock { $0.acknowledged.append(request.correlation) }
        guard let correlation = UInt64(request.correlation) else { return }
        tell(.reply(correlation: correlation, result))
    }

    func drop(_ request: IncomingRequest) {
        state.withLock { $0.dropped.append(request.correlation) }
    }

    func giveBack(_ request: IncomingRequest) {
        state.withLock { $0.givenBack.append(request.correlation) }
    }
}
