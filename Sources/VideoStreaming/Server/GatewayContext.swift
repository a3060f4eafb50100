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

    /// Takes the context over from the server.
    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}
