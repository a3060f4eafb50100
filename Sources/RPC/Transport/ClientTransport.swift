package import Domain

/// A request as it goes to the broker.
package struct OutgoingRequest: Sendable {
    /// What to do.
    package var method: RPCMethod
    /// What it is done with.
    package var payload: RPCPayload
    /// Ties the reply to this attempt.
    package var correlation: UInt64
    /// The same for every attempt at one call.
    package var callID: String
    /// Which attempt this is, from 1.
    package var attempt: Int
    /// When nobody waits any more.
    package var deadline: Deadline
}

/// What became of requests, as a transport tells it.
package enum ClientTransportEvent: Sendable {
    /// Requests can be sent, and replies will come.
    case ready
    /// The replies to everything that was sent are lost.
    case lost
    /// Replies cannot come: the broker refuses the queue for them.
    case refused
    /// A worker has answered, who can speak for none of these services.
    case reply(correlation: UInt64, Result<RPCPayload, ServiceError>, notFor: [String] = [])
    /// The request has not reached a worker's queue.
    case undelivered(correlation: UInt64, Undelivered)
}

/// Why a request did not reach a queue.
package enum Undelivered: Sendable, Equatable {
    /// There is no queue: no worker has been there for a while.
    case noQueue
    /// The queue is full.
    case queueFull
    /// The broker takes no messages, or too many wait to be sent.
    case blocked
    /// The broker refuses it; sending it again cannot help.
    case refused(String)
    /// There is no connection now; the request has not left this process.
    case notSent
    /// The connection broke; the request may have been delivered.
    case connectionLost
}

/// Carries requests to workers and their replies back.
package protocol ClientTransport: Sendable {
    /// Begins to receive replies. Called once, before anything is sent. `onEvent` may be called on any thread.
    func start(_ onEvent: @escaping @Sendable (ClientTransportEvent) -> Void)

    /// Where calls are best made from; `nil` for Swift's own pool.
    var executor: (any TaskExecutor)? { get }

    /// Sends a request. Does not wait; what becomes of it comes as an event.
    func send(_ request: OutgoingRequest)

    /// How many workers take requests from a queue; `nil` when that cannot be found out. Ends when its task is cancelled.
    func workerCount(of queue: String) async -> Int?
}
