package import Domain

/// A request as a worker gets it.
package struct IncomingRequest: Sendable {
    /// The name of the method, with its version.
    package var method: String
    /// What it is to be done with.
    package var payload: RPCPayload
    /// When nobody waits for the answer any more.
    package var deadline: Deadline
    /// The same for every attempt at one call.
    package var callID: String
    /// Which attempt this is, from 1.
    package var attempt: Int
    /// Whether it has been given to a worker before, which was lost with it or gave it back.
    package var isRedelivered: Bool
    /// Where the reply goes.
    package var replyTo: String
    /// Ties the reply to the request.
    package var correlation: String
    /// What to acknowledge.
    package var receipt: any Sendable
}

/// A queue that a worker takes requests from.
public struct ServedQueue: Sendable, Hashable {
    /// Its name.
    public var name: String
    /// How many of its requests are worked on at once.
    public var maxConcurrentRequests: Int
    /// How many requests may wait in it; one more is refused as `overloaded`.
    public var maxWaitingRequests: Int
    /// After how many seconds without a worker it vanishes, so that callers learn at once that nobody is there.
    public var lifetimeWithoutWorkerSeconds: Int

    /// Whether a request that was lost with too many workers is kept for people to look at, in the queue's dead-letter queue
    /// (``EventTopology/deadQueue(of:)``). Right for commands: somebody wanted something done, and it may be half done.
    public var keepsDeadRequests: Bool

    /// Makes a description of a queue.
    public init(
        name: String, maxConcurrentRequests: Int, maxWaitingRequests: Int = 4_096,
        lifetimeWithoutWorkerSeconds: Int = 10, keepsDeadRequests: Bool = false
    ) {
        self.keepsDeadRequests = keepsDeadRequests
        self.name = name
        self.maxConcurrentRequests = maxConcurrentRequests
        self.maxWaitingRequests = maxWaitingRequests
        self.lifetimeWithoutWorkerSeconds = lifetimeWithoutWorkerSeconds
    }
}

/// Brings requests to a worker and takes its replies away.
package protocol ServerTransport: Sendable {
    /// Begins to take requests. `onRequest` may be called on any thread and must not block.
    func start(_ queues: [ServedQueue], onRequest: @escaping @Sendable (IncomingRequest) -> Void)

    /// Takes no more requests. When it returns, `onRequest` is not called any more.
    func stop() async

    /// Sends the reply and, once it has been handed over, acknowledges the request. If the reply cannot be handed over
    /// the request is given back.
    func reply(to request: IncomingRequest, _ result: Result<RPCPayload, ServiceError>)

    /// Acknowledges a request without a reply: nobody waits for it.
    func drop(_ request: IncomingRequest)

    /// Gives a request back, for another worker.
    func giveBack(_ request: IncomingRequest)

    /// Where requests are best worked on; `nil` for Swift's own pool.
    var executor: (any TaskExecutor)? { get }

    /// Whether requests can come.
    var isServing: Bool { get }
}
