import AMQP
import Contracts
import Domain
import Hummingbird
import Logging
import RPC
import ServiceKit
import ServiceLifecycle

/// The gateway: HTTP in, RPC out.
@main
struct VideoStreaming {
    static func main() async {
        await ServiceProcess.run("video-streaming", compose: compose)
    }

    private static func compose(_ settings: Settings, _ logger: Logger) async throws -> [any Service] {
        let common = try CommonSettings(settings, portPurpose: "the gateway's front")
        let address = try SettingError.naming("RABBIT") {
            try BrokerAddress(common.broker, certificateAuthorityFile: common.brokerCertificateFile).checked()
        }
        let configuration = try GatewayConfiguration(settings, common)

        let amqp = try AMQPClient(
            AMQPConfiguration(
                address: address, connectionName: "video-streaming",
                declarations: [.exchange(name: RPCTopology.requestExchange, kind: .direct)]),
            logger: logger)
        let rpc = RPCClient(
            over: amqp, name: "video-streaming", services: [MetadataWire.service, StorageWire.service], logger: logger)
        let gateway = makeGateway(
            metadata: MetadataClient(rpc), storage: StorageClient(rpc),
            readiness: { await problems(amqp, rpc, address) }, configuration: configuration, logger: logger)
        return [amqp, rpc, gateway]
    }

    /// What the gateway cannot do without: the broker, and a worker of each kind.
    private static func problems(
        _ amqp: AMQPClient, _ rpc: RPCClient, _ address: BrokerAddress
    ) async -> [ReadinessProblem] {
        guard amqp.isConnected else {
            return [ReadinessProblem(part: "broker", reason: "not connected to \(address)")]
        }
        var problems: [ReadinessProblem] = []
        let queues = [(MetadataWire.service, MetadataWire.queryQueue), (StorageWire.service, StorageWire.readQueue)]
        for (part, queue) in queues {
            if await rpc.workerCount(of: queue) == 0 {
                problems.append(ReadinessProblem(part: part, reason: "no worker takes from \(queue)"))
            }
        }
        return problems
    }
}

extension GatewayConfiguration {
    /// Reads the limits; each has a default.
    init(_ settings: Settings, _ common: CommonSettings) throws(SettingError) {
        self.init()
        host = common.host
        port = common.port
        readAheadChunks = try settings.number(
            "READ_AHEAD_CHUNKS", meaning: "how many chunks a stream holds or waits for at the most", in: 1...64,
            default: readAheadChunks)
        requestDeadlineSeconds = try settings.seconds(
            "REQUEST_DEADLINE_SECONDS", meaning: "how long a first byte may take", default: requestDeadlineSeconds)
        chunkDeadlineSeconds = try settings.seconds(
            "CHUNK_DEADLINE_SECONDS", meaning: "how long one attempt at a chunk may take", default: chunkDeadlineSeconds
        )
        stallSeconds = try settings.seconds(
            "STALL_SECONDS", meaning: "how long a stream may stand still before it is cut", default: stallSeconds)
        idleConnectionSeconds = try settings.seconds(
            "IDLE_CONNECTION_SECONDS", meaning: "how long a connection may be without a request",
            default: idleConnectionSeconds)
        maxHeaderBytes = try settings.number(
            "MAX_HEADER_BYTES", meaning: "the most bytes of a request's header", in: 1_024...1_048_576,
            default: maxHeaderBytes)
        maxHeaderFields = try settings.number(
            "MAX_HEADER_FIELDS", meaning: "the most fields of a request's header", in: 10...1_000,
            default: maxHeaderFields)
    }
}

extension Settings {
    fileprivate func seconds(_ name: String, meaning: String, default fallback: Double) throws(SettingError) -> Double {
        Double(try number(name, meaning: "\(meaning), in seconds", in: 1...86_400, default: Int(fallback)))
    }
}
