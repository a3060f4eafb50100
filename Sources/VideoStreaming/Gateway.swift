import Domain
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceKit

/// Assembles the gateway: routes, handlers and server, from the services that it is handed.
///
/// It is a service: `run()` serves until the task is cancelled or a graceful shutdown begins, and then lets the responses
/// that are under way come to their end.
///
/// Limits of the server, in HTTP's own terms: a header list over ``GatewayConfiguration/maxHeaderBytes`` or
/// ``GatewayConfiguration/maxHeaderFields`` gets 400 and a closed connection; a target over
/// ``GatewayConfiguration/maxTargetBytes`` 414, one that NIO's parser does not take (80 KiB) 400; a body where none is wanted is read and thrown away.
///
/// - Parameters:
///   - metadata: Knows the videos.
///   - storage: Has their bytes.
///   - source: Has what is delivered; has to be run beside the gateway.
///   - uploads: Takes new bytes.
///   - cleanup: Gives up uploads that failed; has to be run beside the gateway.
///   - health: What `/readyz` tells.
///   - registry: What `/metrics` tells; `nil` where that is told elsewhere, and not found here.
///   - configuration: Address and limits.
///   - logger: Takes the access log (info) and the failures.
///   - onServerRunning: Told of the listening channel, and so of the port that was taken when 0 was asked for.
/// - Returns: The service to run.
func makeGateway(
    metadata: any MetadataService,
    storage: any StorageService,
    source: ContentSource,
    uploads: any UploadService,
    cleanup: UploadCleanup,
    health: Health,
    registry: MetricsRegistry?,
    configuration: GatewayConfiguration,
    logger: Logger,
    onServerRunning: @escaping @Sendable (any Channel) async -> Void = { _ in }
) -> some ApplicationProtocol {
    let access = WriteAccess(token: configuration.writeToken)
    let content = ContentHandler(
        source: source, budget: ReadAheadBudget(maxBytes: configuration.readAheadBytes, metrics: source.metrics),
        configuration: configuration)
    let crossOrigin = CrossOrigin(origin: configuration.crossOrigin)
    let metrics = GatewayMetrics()
    let responder = GatewayResponder(
        content: content,
        records: RecordHandler(metadata: metadata, configuration: configuration),
        changes: ChangeHandler(metadata: metadata, source: source, access: access, configuration: configuration),
        uploads: UploadHandler(
            metadata: metadata, storage: storage, source: source, uploads: uploads, access: access,
            budget: ByteBudget(maxBytes: configuration.uploadBytes), cleanup: cleanup, configuration: configuration),
        health: HealthHandler(health: health, metrics: registry),
        page: PageHandler(metadata: metadata, configuration: configuration),
        crossOrigin: crossOrigin,
        maxTargetBytes: configuration.maxTargetBytes,
        metrics: metrics)
    let answers = MemoryAnswers(
        content: content, crossOrigin: crossOrigin, maxTargetBytes: configuration.maxTargetBytes,
        idleTime: configuration.idleTime, metrics: metrics, logger: logger)
    return Application(
        responder: responder,
        server: .gateway(configuration, answers),
        configuration: ApplicationConfiguration(
            address: .hostname(configuration.host, port: configuration.port), serverName: nil, backlog: 1_024,
            availableConnectionsDelegate: MaximumAvailableConnections(configuration.maxConnections, logger: logger)),
        onServerRunning: onServerRunning,
        logger: logger)
}
