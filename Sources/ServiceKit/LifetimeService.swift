public import ServiceLifecycle

/// Keeps a resource until the services that stand on it have stopped, and then ends it.
///
/// Put it before them in the list of services: they stop in the reverse of their order.
public struct LifetimeService: Service {
    private let end: @Sendable () async -> Void

    /// Makes a service that does nothing until it is stopped.
    public init(endingWith end: @escaping @Sendable () async -> Void) {
        self.end = end
    }

    /// Waits for a graceful shutdown or cancellation, then ends the resource.
    public func run() async throws {
        try? await gracefulShutdown()
        await end()
    }
}
