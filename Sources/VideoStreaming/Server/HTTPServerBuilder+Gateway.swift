import HummingbirdCore
import NIOCore

extension HTTPServerBuilder {
    /// HTTP/1.1 with the gateway's limits, each connection's work bound to the connection's life.
    static func gateway(_ configuration: GatewayConfiguration) -> HTTPServerBuilder {
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
            ConnectionLifetimeChannel(base: HTTP1Channel(responder: responder, configuration: limits))
        }
    }
}
