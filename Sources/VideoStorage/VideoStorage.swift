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
    /// How many chunks one worker reads at once: enough to keep a disk busy, little enough that what it holds
    /// (32 × 256 KiB) does not show, and that the rest of a burst goes to other workers.
    private static let maxConcurrentRequests = 32

    static func main() async {
        await ServiceProcess.run("video-storage", compose: compose)
    }

    private static func compose(_ settings: Settings, _ logger: Logger) async throws -> [any Service] {
        let common = try CommonSettings(settings, portPurpose: "the health endpoint")
        let database = try DatabaseSettings(settings)
        let address = try SettingError.naming("RABBIT") {
            try BrokerAddress(common.broker, certificateAuthorityFile: common.brokerCertificateFile).checked()
        }
        let metrics = StorageMetrics()
        let providerSettings = try ProviderSettings(settings)
        let mongo = try SettingError.naming("DBHOST or DBNAME") {
            try MongoClient(
                configuration: MongoConfiguration(uri: database.uri, database: database.name, appName: "video-storage"),
                logger: logger)
        }
        let catalogue = MongoCatalogue(client: mongo)
        let gridFS = GridFSProvider(client: mongo)
        let providers = try ConfiguredProviders(providerSettings, gridFS: gridFS, metrics: metrics, logger: logger)
        try await Startup.wait(for: "the database", logger: logger) {
            try await catalogue.prepare(deadline: .after(.seconds(10)))
            try await gridFS.prepare(deadline: .after(.seconds(10)))
        }
        let storage = ObjectStorage(
            catalogue: catalogue, providers: providers.set, known: KnownVersions(),
            chunkBytes: StorageLimits.defaultChunkBytes, metrics: metrics, logger: logger)

        let amqp = try AMQPClient(
            AMQPConfiguration(
                address: address, connectionName: "video-storage",
                declarations: [.exchange(name: RPCTopology.replyExchange(of: StorageWire.service), kind: .direct)]),
            logger: logger)
        let server = RPCServer(
            over: amqp, service: StorageWire.service, router: .storage(storage),
            queues: StorageWire.queues(maxConcurrentRequests: maxConcurrentRequests), logger: logger)
        let health = HealthServer(
            host: common.host, port: common.port,
            checks: [
                ReadinessCheck("broker", problem: { server.isServing ? nil : "not connected to \(address)" }),
                ReadinessCheck("database", attempt: { try await mongo.ping(deadline: .now + .seconds(2)) }),
            ], logger: logger)
        return [
            LifetimeService { await mongo.shutdown() }, LifetimeService { await providers.shutdown() }, amqp, server,
            health,
        ]
    }
}
