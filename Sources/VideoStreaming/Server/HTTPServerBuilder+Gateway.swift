import HummingbirdCore
import HummingbirdHTTP2
import NIOCore

extension HTTPServerBuilder {
    /// HTTP/1.1 with the gateway's limits, or, with TLS, whichever of HTTP/2 and HTTP/1.1 the client prefers; each
    /// connection's work bound to the connection's life. HTTP/1.1 without TLS is answered from memory where that is possible.
    static func gateway(_ configuration: GatewayConfiguration, _ answers: MemoryAnswers) -> HTTPServerBuilder {
        let limits = HTTP1Channel.Configuration(
            additionalChannelHandlers: [
                ResponseHandler(stallLimit: configuration.viewerStall), RequestBodyHandler(),
            ],
            idleTimeout: TimeAmount(configuration.idleTime),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: configuration.maxHeaderBytes,
                maxHeaderListSize: configuration.maxHeaderBytes,
                maxHeaderFieldCount: configuration.maxHeaderFields))
        return HTTPServerBuilder { responder in
            guard let identity = configuration.identity else {
                let plain = HTTP1Channel(responder: responder, configuration: limits)
                return ConnectionLifetimeChannel(base: MemoryAnswerChannel(base: plain, answers: answers))
            }
            let upgrade = try HTTP2UpgradeChannel(
                tlsConfiguration: identity.tls,
                configuration: HTTP2ChannelConfiguration(
                    idleTimeout: configuration.idleTime, gracefulCloseTimeout: configuration.idleTime,
                    streamConfiguration: limits),
                responder: StreamLifetime.bound(responder))
            return ConnectionLifetimeChannel(base: upgrade)
        }
    }
}
