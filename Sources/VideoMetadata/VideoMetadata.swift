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

    static func main() async {
        await ServiceProcess.run("video-metadata", compose: compose)
    }

    private static func compose(_ settings: Settings, _ logger: Logger) async throws -> [any Service] {
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
        let videos = VideoRepository(client: mongo, logger: logger)
        try await Startup.wait(for: "the database", logger: logger) {
            try await videos.prepare(deadline: .after(.seconds(10)))
        }

        let amqp = try AMQPClient(
            AMQPConfiguration(
                address: address, connectionName: "video-metadata",
                declarations: [.exchange(name: RPCTopology.replyExchange(of: MetadataWire.service), kind: .direct)]),
            logger: logger)
        let server = RPCServer(
            over: amqp, service: MetadataWire.service, router: .metadata(videos),
            queues: MetadataWire.queues(maxConcurrentRequests: maxConcurrentRequests), logger: logger)
        let health = HealthServer(
            host: common.host, port: common.port,
            checks: [
                ReadinessCheck("broker", problem: { server.isServing ? nil : "not connected to \(address)" }),
                ReadinessCheck("database", attempt: { try await mongo.ping(deadline: .now + .seconds(2)) }),
            ], logger: logger)
        return [LifetimeService { await mongo.shutdown() }, amqp, server, health]
    }
}
