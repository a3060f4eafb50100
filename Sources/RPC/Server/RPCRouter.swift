public import Domain

/// What a handler may know of the request beside its payload.
public struct RPCContext: Sendable {
    /// When nobody waits for the answer any more.
    public let deadline: Deadline
    /// The same for every attempt at one call.
    public let callID: String
    /// Whether the broker has given this request to a worker before.
    public let isRedelivered: Bool
}

/// Which handler does which method.
public struct RPCRouter: Sendable {
    /// Does one method: gets the request's payload, returns the reply's.
    public typealias Handler = @Sendable (RPCPayload, RPCContext) async throws(ServiceError) -> RPCPayload

    private var handlers: [String: Handler] = [:]

    /// An empty router.
    public init() {}

    /// Adds a method. A second handler for the same name takes the place of the first.
    public mutating func on(_ method: RPCMethod, _ handler: @escaping Handler) {
        handlers[method.name] = handler
    }

    /// Adds the methods of another router; where both have one, the other's takes the place.
    public mutating func add(_ other: RPCRouter) {
        handlers.merge(other.handlers) { _, theirs in theirs }
    }

    /// The names of the methods, sorted.
    public var methodNames: [String] { handlers.keys.sorted() }

    func knows(_ method: String) -> Bool { handlers[method] != nil }

    func handler(for method: String) throws(ServiceError) -> Handler {
        guard let handler = handlers[method] else {
            throw ServiceError(
                .unimplemented,
                "This worker does not know \(method.prefix(100)); it knows \(methodNames.joined(separator: ", ")).")
        }
        return handler
    }
}
