import AMQP
import Contracts
import Domain
import Logging
import Mongo
import RPC
import ServiceKit
import ServiceLifecycle

/// The storage worker: has the videos' bytes, and alone knows where they are. RPC in, bytes out.
@main
struct VideoStorage {
    /// How many reads one worker has under way at once: enough to keep a disk busy, little enough that what it holds
    /// (a read has up to 4 MiB, so 128 MiB) is bounded, and that the rest of a burst goes to other workers.
    private static let maxConcurrentRequests = 32
    /// How many blocks one worker writes at once, and so holds in memory. They have a queue, and threads, of their own: reads
    /// never wait behind them.
    private static let maxConcurrentWrites = 8
    /// Blobs that are read or written in MongoDB at once. As many as for files: threads wait for the network here, and what is
    /// read at once is bounded by the requests above.
    private static let blobThreads = 8
    /// How many objects one worker is asked to move or verify at once.
    private static let maxConcurrentWorks = 2
    /// The latest shape of the database that this worker knows.
    private static let schemaVersion = 1

    static func main() async {
        await ServiceProcess.run("video-storage", variables: variables, compose: compose)
    }

    private static func compose(_ environment: ServiceEnvironment) async throws -> [any Service] {
        let (settings, logger) = (environment.settings, environment.logger)
        let common = try CommonSettings(settings, portPurpose: "the health endpoint")
        let database = try DatabaseSettings(settings)
        let address = try SettingError.naming("RABBIT") {
            try BrokerAddress(common.broker, certificateAuthorityFile: common.brokerCertificateFile).checked()
        }
        let rules = try collectionRules(settings)
        let metrics = StorageMetrics()
        let providerSettings = try ProviderSettings(settings)
        let mongo = try SettingError.naming("DBHOST or DBNAME") {
            try MongoClient(
                configuration: MongoConfiguration(uri: database.uri, database: database.name, appName: "video-storage"),
                logger: logger)
        }
        let blobs = try SettingError.naming("DBHOST or DBNAME") {
            try MongoClient(configuration: blobConfiguration(database), logger: logger)
        }
        let catalogue = MongoCatalogue(client: mongo)
        let register = MongoUploads(client: mongo)
        let gridFS = GridFSProvider(client: blobs)
        let providers = try ConfiguredProviders(providerSettings, gridFS: gridFS, metrics: metrics, logger: logger)
        try await Startup.wait(for: "the database (DBHOST)", atMost: environment.startSeconds, logger: logger) {
            let version = try await MongoSchema.version(in: mongo, deadline: .now + .seconds(4))
            guard version <= schemaVersion else {
                throw SettingError.newerData(
                    "DBNAME", "the database \(database.name)", found: version, known: schemaVersion)
            }
            try await catalogue.prepare(deadline: .after(.seconds(10)))
            try await register.prepare(deadline: .after(.seconds(10)))
            try await gridFS.prepare(deadline: .after(.seconds(10)))
        }
        var broker = AMQPConfiguration(address: address, connectionName: "video-storage", declarations: declarations)
        broker.bodyChecksum = { CRC32C.checksum(of: $0, after: $1) }
        let amqp = try AMQPClient(broker, logger: logger)
        let outbox = OutboxPublisher(
            MongoOutbox(client: mongo), publisher: EventPublisher(over: amqp, service: StorageWire.service),
            optional: StorageEvents.optional, logger: logger)
        let worker = StorageWorker(
            catalogue: catalogue, register: register, providers: providers.set,
            outbox: OutboxTeller { outbox.tell([$0]) }, rules: rules, metrics: metrics, logger: logger)

        let server = RPCServer(
            over: amqp, service: StorageWire.service, router: worker.router,
            queues: StorageWire.queues(maxConcurrentRequests: maxConcurrentRequests)
                + StorageWire.writeQueues(maxConcurrentRequests: maxConcurrentWrites)
                + StorageWire.administrationQueues(maxConcurrentWorks: maxConcurrentWorks), logger: logger)
        let events = EventSubscription(
            over: amqp, .durable(queue: StorageEvents.queue), patterns: StorageEvents.patterns, logger: logger
        ) { try await worker.deletion.handle($0) }
        let health = Health(
            [
                ReadinessCheck(
                    "broker", problem: { server.isServing ? nil : "not connected to \(address), which RABBIT names" }),
                ReadinessCheck("database", attempt: { try await mongo.ping(deadline: .now + .seconds(2)) }),
                ReadinessCheck("provider", problem: { await worker.administration.problemOfPrimary() }),
            ], draining: environment.draining)
        let collection = CollectorService(
            collector: worker.collector, pause: .seconds(rules.pauseSeconds), logger: logger)
        return [
            LifetimeService { await mongo.shutdown() },
            HealthServer(
                host: common.host, port: common.port, health: health, metrics: environment.metrics, logger: logger),
            HealthWatch(health, logger: logger), LifetimeService { await blobs.shutdown() },
            LifetimeService { await providers.shutdown() },
            LifetimeService { await worker.administration.shutdown() }, amqp, outbox, collection, events, server,
        ]
    }

    /// What has to be there before anything is published: also the queues of those who must not miss an event.
    private static var declarations: [Declaration] {
        [.exchange(name: RPCTopology.replyExchange(of: StorageWire.service), kind: .direct)]
            + EventPublisher.declarations
            + EventSubscription.declarations(
                of: .durable(queue: MetadataEvents.queue), patterns: MetadataEvents.patterns)
    }

    /// Bytes have threads and connections of their own, so that no question to the catalogue waits behind them.
    private static func blobConfiguration(_ database: DatabaseSettings) -> MongoConfiguration {
        var configuration = MongoConfiguration(
            uri: database.uri, database: database.name, appName: "video-storage-blobs")
        configuration.poolThreads = blobThreads
        return configuration
    }

    private static func collectionRules(_ settings: Settings) throws -> CollectionRules {
        var rules = CollectionRules()
        let day = 86_400
        rules.abandonedSeconds = try settings.number(
            "ABANDONED_UPLOAD_SECONDS", meaning: "after how many seconds an upload that nobody touches is given up",
            in: 1...30 * day, default: rules.abandonedSeconds)
        rules.retiredSeconds = try settings.number(
            "RETIRED_BLOB_SECONDS", meaning: "for how many seconds bytes that were replaced or moved can still be read",
            in: 0...30 * day, default: rules.retiredSeconds)
        rules.pauseSeconds = try settings.number(
            "COLLECT_SECONDS", meaning: "the pause, in seconds, after which a worker clears up again", in: 1...day,
            default: rules.pauseSeconds)
        return rules
    }
}
