import AMQP
import Contracts
import Domain
import Logging
import Mongo
import RPC
import ServiceKit
import ServiceLifecycle

/// The metadata worker: knows which videos there are. RPC in, MongoDB out.
@main
struct VideoMetadata {
    /// Queries are short, and MongoDB takes a few at a time from one process: more would only wait here instead of in
    /// the queue, where another worker could take them.
    private static let maxConcurrentRequests = 16
    /// The latest shape of the database that this worker knows.
    private static let schemaVersion = 1

    static func main() async {
        await ServiceProcess.run("video-metadata", variables: variables, compose: compose)
    }

    private static let variables =
        [ServiceVariable("PORT", "the port of /healthz, /readyz and /metrics", default: nil)] + ServiceVariable.database

    private static func compose(_ environment: ServiceEnvironment) async throws -> [any Service] {
        let (settings, logger) = (environment.settings, environment.logger)
        let common = try CommonSettings(settings, portPurpose: "the health endpoint")
        let database = try DatabaseSettings(settings)
        let address = try SettingError.naming("RABBIT") {
            try BrokerAddress(common.broker, certificateAuthorityFile: common.brokerCertificateFile).checked()
        }

        let mongo = try SettingError.naming("DBHOST or DBNAME") {
            try MongoClient(
                configuration: MongoConfiguration(
                    uri: database.uri, database: database.name, appName: "video-metadata"),
                logger: logger)
        }
        let amqp = try AMQPClient(
            AMQPConfiguration(address: address, connectionName: "video-metadata", declarations: declarations),
            logger: logger)
        let outbox = OutboxPublisher(
            VideoOutbox(client: mongo),
            publisher: DeletionTeller(
                client: mongo, publisher: EventPublisher(over: amqp, service: MetadataWire.service)),
            optional: MetadataEvents.optional, logger: logger)
        let videos = VideoRepository(client: mongo, logger: logger, tell: { outbox.tell($0) })
        try await Startup.wait(for: "the database (DBHOST)", atMost: environment.startSeconds, logger: logger) {
            let version = try await MongoSchema.version(in: mongo, deadline: .now + .seconds(4))
            guard version <= schemaVersion else {
                throw SettingError.newerData(
                    "DBNAME", "the database \(database.name)", found: version, known: schemaVersion)
            }
            try await videos.prepare(deadline: .after(.seconds(10)))
        }

        let listener = ContentListener(metadata: videos, logger: logger)
        let uploads = EventSubscription(
            over: amqp, .durable(queue: MetadataEvents.queue), patterns: MetadataEvents.patterns, logger: logger
        ) { try await listener.handle($0) }
        let server = RPCServer(
            over: amqp, service: MetadataWire.service, router: .metadata(videos),
            queues: MetadataWire.queues(maxConcurrentRequests: maxConcurrentRequests), logger: logger)
        let health = Health(
            [
                ReadinessCheck(
                    "broker",
                    problem: {
                        server.isServing && uploads.isReceiving
                            ? nil : "not connected to \(address), which RABBIT names"
                    }),
                ReadinessCheck("database", attempt: { try await mongo.ping(deadline: .now + .seconds(2)) }),
            ], draining: environment.draining)
        return [
            LifetimeService { await mongo.shutdown() },
            HealthServer(
                host: common.host, port: common.port, health: health, metrics: environment.metrics, logger: logger),
            HealthWatch(health, logger: logger), amqp, outbox, uploads, server,
        ]
    }

    /// What has to be there to answer and to tell; the queue of those who must hear of deletions, too, or one that is told
    /// before their first start would go nowhere.
    private static var declarations: [Declaration] {
        [.exchange(name: RPCTopology.replyExchange(of: MetadataWire.service), kind: .direct)]
            + EventPublisher.declarations
            + EventSubscription.declarations(
                of: .durable(queue: StorageEvents.queue), patterns: StorageEvents.patterns)
    }
}
