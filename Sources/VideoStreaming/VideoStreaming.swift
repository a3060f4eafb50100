import AMQP
import Contracts
import Domain
import Hummingbird
import Logging
import NIOSSL
import RPC
import ServiceKit
import ServiceLifecycle

/// The gateway: HTTP in, RPC out.
@main
struct VideoStreaming {
    static func main() async {
        await ServiceProcess.run(
            "video-streaming", variables: GatewayConfiguration.variables, inquiry: inquiry, compose: compose)
    }

    /// Health is asked for over TLS where the gateway speaks nothing else. Whose certificate it is does not matter: it is this
    /// machine that is asked.
    private static var inquiry: HealthInquiry {
        HealthInquiry(portVariables: ["METRICS_PORT", "PORT"]) { settings in
            let isPlain =
                settings.optionalText("METRICS_PORT") != nil || settings.optionalText("TLS_CERTIFICATE") == nil
            guard !isPlain else { return nil }
            return { channel in
                var tls = TLSConfiguration.makeClientConfiguration()
                tls.certificateVerification = .none
                let handler = try NIOSSLClientHandler(context: NIOSSLContext(configuration: tls), serverHostname: nil)
                try channel.pipeline.syncOperations.addHandler(handler)
            }
        }
    }

    private static func compose(_ environment: ServiceEnvironment) async throws -> [any Service] {
        let (settings, logger) = (environment.settings, environment.logger)
        let common = try CommonSettings(settings, portPurpose: "the gateway's front")
        let address = try SettingError.naming("RABBIT") {
            try BrokerAddress(common.broker, certificateAuthorityFile: common.brokerCertificateFile).checked()
        }
        var configuration = try GatewayConfiguration(settings, common)
        let wanted = configuration.maxConnections
        configuration.maxConnections = OpenFileLimit.connections(wanted: wanted, files: OpenFileLimit.raise())
        if configuration.maxConnections < wanted {
            logger.notice(
                "fewer connections than MAX_CONNECTIONS, since the process may not have so many files open",
                metadata: ["connections": "\(configuration.maxConnections)"])
        }

        var broker = AMQPConfiguration(
            address: address, connectionName: "video-streaming",
            declarations: RPCTopology.requests(
                to: [
                    MetadataWire.queryQueue, MetadataWire.commandQueue, StorageWire.readQueue, StorageWire.writeQueue,
                ]))
        broker.bodyChecksum = { CRC32C.checksum(of: $0, after: $1) }
        let amqp = try AMQPClient(broker, logger: logger)
        let rpc = RPCClient(
            over: amqp, name: "video-streaming", services: [MetadataWire.service, StorageWire.service], logger: logger)
        let uploads = UploadClient(rpc)
        let cleanup = UploadCleanup(uploads, logger: logger)
        let (metadata, storage) = (MetadataClient(rpc), StorageClient(rpc))
        let source = ContentSource(
            metadata: metadata, storage: storage, cacheBytes: configuration.cacheBytes, executor: rpc.executor,
            logger: logger)
        let health = Health(checks(amqp, rpc, address), draining: environment.draining)
        let gateway = makeGateway(
            metadata: metadata, storage: storage, source: source, uploads: uploads, cleanup: cleanup, health: health,
            registry: configuration.metricsPort == nil ? environment.metrics : nil, configuration: configuration,
            logger: logger)
        // Health first: it is told until everything else has stopped.
        var services: [any Service] = [HealthWatch(health, logger: logger)]
        if let port = configuration.metricsPort {
            services.append(
                HealthServer(
                    host: configuration.host, port: port, portVariable: "METRICS_PORT", health: health,
                    metrics: environment.metrics, logger: logger))
        }
        return services + [
            amqp, rpc, changes(over: amqp, of: source, logger), source, cleanup,
            Listening(gateway, host: configuration.host, port: configuration.port),
        ]
    }

    /// Hears of changes while it is connected, and drops what is remembered of what has changed.
    private static func changes(
        over amqp: AMQPClient, of source: ContentSource, _ logger: Logger
    ) -> EventSubscription {
        let names = [
            MetadataEvents.videoUpdated, MetadataEvents.videoDeleted, StorageEvents.objectCommitted,
            StorageEvents.objectDeleted,
        ]
        return EventSubscription(
            over: amqp, .whileConnected(name: "video-streaming"), patterns: names, logger: logger
        ) { event in
            switch event.name {
            case MetadataEvents.videoUpdated: source.recordChanged(try VideoUpdated(event).id)
            case MetadataEvents.videoDeleted: source.recordChanged(try VideoDeleted(event).id)
            case StorageEvents.objectCommitted: source.objectChanged(try ObjectCommitted(event).key)
            case StorageEvents.objectDeleted: source.objectChanged(try ObjectDeleted(event).key)
            default: break
            }
            logger.debug("something has changed", metadata: ["event": "\(event.id)"])
        }
    }

    /// What the gateway cannot do without: the broker, and a worker of each kind.
    private static func checks(_ amqp: AMQPClient, _ rpc: RPCClient, _ address: BrokerAddress) -> [ReadinessCheck] {
        let queues = [(MetadataWire.service, MetadataWire.queryQueue), (StorageWire.service, StorageWire.readQueue)]
        return [
            ReadinessCheck(
                "broker", problem: { amqp.isConnected ? nil : "not connected to \(address), which RABBIT names" })
        ]
            + queues.map { part, queue in
                // Without the broker nobody knows.
                ReadinessCheck(
                    part,
                    problem: {
                        guard amqp.isConnected, await rpc.workerCount(of: queue) == 0 else { return nil }
                        return "no worker takes from \(queue)"
                    })
            }
    }
}

extension GatewayConfiguration {
    /// Reads the limits; each has a default.
    init(_ settings: Settings, _ common: CommonSettings) throws(SettingError) {
        self.init()
        host = common.host
        port = common.port
        metricsPort = try Self.metricsPort(settings, port)
        readAheadChunks = try settings.number(
            "READ_AHEAD_CHUNKS", meaning: "how many chunks a stream holds or waits for at the most", in: 1...64,
            default: readAheadChunks)
        try readDeliveryLimits(settings)
        requestDeadlineSeconds = try settings.seconds(
            "REQUEST_DEADLINE_SECONDS", meaning: "how long a first byte may take", default: requestDeadlineSeconds)
        chunkDeadlineSeconds = try settings.seconds(
            "CHUNK_DEADLINE_SECONDS", meaning: "how long one attempt at a chunk may take", default: chunkDeadlineSeconds
        )
        stallSeconds = try settings.seconds(
            "STALL_SECONDS", meaning: "how long a stream may stand still before it is cut", default: stallSeconds)
        viewerStallSeconds = try settings.seconds(
            "VIEWER_STALL_SECONDS", meaning: "how long a viewer may take for a chunk before it is cut",
            default: viewerStallSeconds)
        idleConnectionSeconds = try settings.seconds(
            "IDLE_CONNECTION_SECONDS", meaning: "how long a connection may be without a request",
            default: idleConnectionSeconds)
        maxHeaderBytes = try settings.number(
            "MAX_HEADER_BYTES", meaning: "the most bytes of a request's header", in: 1_024...1_048_576,
            default: maxHeaderBytes)
        maxHeaderFields = try settings.number(
            "MAX_HEADER_FIELDS", meaning: "the most fields of a request's header", in: 10...1_000,
            default: maxHeaderFields)
        try readUploadLimits(settings)
    }

    private static func metricsPort(_ settings: Settings, _ port: Int) throws(SettingError) -> Int? {
        let name = "METRICS_PORT"
        guard settings.optionalText(name) != nil else { return nil }
        let metricsPort = try settings.number(
            name, meaning: "the TCP port of health and metrics", in: 0...65_535, default: nil)
        guard metricsPort == 0 || metricsPort != port else {
            throw SettingError(name, reason: "it is the same as PORT. Leave it away to have metrics there")
        }
        return metricsPort
    }

    private mutating func readDeliveryLimits(_ settings: Settings) throws(SettingError) {
        readAheadBytes = try settings.number(
            "READ_AHEAD_BYTES", meaning: "how many bytes all streams together hold ahead of their viewers",
            in: 0...(1 << 40), default: readAheadBytes)
        cacheBytes = try settings.number(
            "CACHE_BYTES", meaning: "how many bytes of chunks are kept for the next viewers, 0 for none",
            in: 0...(1 << 40), default: cacheBytes)
        maxConnections = try settings.number(
            "MAX_CONNECTIONS", meaning: "how many connections there may be", in: 1...1_000_000,
            default: maxConnections)
        maxTargetBytes = try settings.number(
            "MAX_TARGET_BYTES", meaning: "the longest target of a request in bytes", in: 64...65_536,
            default: maxTargetBytes)
        identity = try Self.identity(settings)
        guard let origin = settings.optionalText("CORS_ORIGIN") else { return }
        guard origin == "none" || CrossOrigin.isOrigin(origin) else {
            throw SettingError(
                "CORS_ORIGIN", fault: "is neither *, nor none, nor an origin",
                meaning: "the origin whose pages may read what is sent", example: "https://player.example.org")
        }
        crossOrigin = origin == "none" ? nil : origin
    }

    private static func identity(_ settings: Settings) throws(SettingError) -> ServerIdentity? {
        let (certificate, key) = (settings.optionalText("TLS_CERTIFICATE"), settings.optionalText("TLS_KEY"))
        guard certificate != nil || key != nil else { return nil }
        guard let certificate, let key else {
            throw SettingError(
                certificate == nil ? "TLS_CERTIFICATE" : "TLS_KEY", fault: "is missing, and the other one is given",
                meaning: "a PEM file with the certificate, or the key, that HTTPS is served with",
                example: "/etc/millrace/tls.pem")
        }
        do {
            return try ServerIdentity(certificateFile: certificate, keyFile: key)
        } catch {
            throw SettingError(
                "TLS_CERTIFICATE", fault: "or TLS_KEY cannot be used (\(error))",
                meaning: "a PEM file with the certificate that HTTPS is served with, and one with its key",
                example: "/etc/millrace/certificate.pem")
        }
    }

    private mutating func readUploadLimits(_ settings: Settings) throws(SettingError) {
        writeToken = try settings.optionalSecret("WRITE_TOKEN")
        if let writeToken, !WriteAccess.isToken(writeToken) {
            throw SettingError(
                "WRITE_TOKEN", fault: "is not at least \(WriteAccess.minTokenBytes) visible ASCII characters",
                meaning: "what a client has to know to write", example: "$(openssl rand -hex 32)")
        }
        maxUploadBytes = Int64(
            try settings.number(
                "MAX_UPLOAD_BYTES", meaning: "the longest upload in bytes", in: 1...(1 << 50),
                default: Int(maxUploadBytes)))
        uploadBytes = try settings.number(
            "UPLOAD_BYTES", meaning: "how many bytes all uploads together hold in memory",
            in: UploadLimits.blockBytesRange.upperBound...(1 << 40), default: uploadBytes)
        uploadIdleSeconds = try settings.seconds(
            "UPLOAD_IDLE_SECONDS", meaning: "how long an upload may send nothing", default: uploadIdleSeconds)
        minUploadBytesPerSecond = try settings.number(
            "MIN_UPLOAD_BYTES_PER_SECOND", meaning: "the least bytes a second of an upload, 0 for no limit",
            in: 0...1_000_000_000, default: minUploadBytesPerSecond)
        uploadCommitSeconds = try settings.seconds(
            "UPLOAD_COMMIT_SECONDS", meaning: "how long storage may take to put an upload together",
            default: uploadCommitSeconds)
    }
}

extension Settings {
    fileprivate func seconds(_ name: String, meaning: String, default fallback: Double) throws(SettingError) -> Double {
        Double(try number(name, meaning: "\(meaning), in seconds", in: 1...86_400, default: Int(fallback)))
    }
}
