import Hummingbird
import Logging
import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What belongs to one request beside its head and body.
struct GatewayContext: RequestContext {
    /// What Hummingbird keeps.
    var coreContext: CoreRequestContextStorage
    /// The connection, to tell a client that went away from a failure on this side.
    let channel: any Channel

    /// Whether this is one of many requests on a connection (HTTP/2), which then has a channel of its own: what stands above
    /// it is the connection, and above that the server.
    var isStream: Bool { channel.parent?.parent != nil }

    /// Takes the context over from the server.
    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}
