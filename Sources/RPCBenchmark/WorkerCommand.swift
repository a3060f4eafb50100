import AMQP
import ArgumentParser
import Domain
import NIOCore
import RPC
import ServiceLifecycle
import UnixSignals

/// Answers each request with its own body, or with a large one, until SIGTERM; then tells what that has cost.
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Answers until SIGTERM, then prints what it has cost.")

    @OptionGroup var broker: BrokerOptions

    @Option(help: "How many requests are worked on at once.")
    var prefetch = 64

    func run() async throws {
        let amqp = try broker.client("rpc-benchmark-worker")
        let server = RPCServer(
            over: amqp, service: broker.service, router: router(),
            queues: [ServedQueue(name: broker.queue, maxConcurrentRequests: prefetch)], logger: broker.logger)
        let group = ServiceGroup(
            services: [amqp, server], gracefulShutdownSignals: [.sigterm, .sigint], logger: broker.logger)
        async let ended: Void = group.run()
        while !server.isServing { try await Task.sleep(for: .milliseconds(10)) }
        let began = ProcessorTime.seconds
        try Output.line("ready")
        try await ended
        try Output.result([
            "calls": Double(server.requestsServed), "cpuSeconds": ProcessorTime.seconds - began,
        ])
    }

    private func router() -> RPCRouter {
        var router = RPCRouter()
        let largeReply = broker.replyBytes > 0 ? Pattern.body(broker.replyBytes, slot: 0) : nil
        router.on(broker.method) { (request, _) throws(ServiceError) in
            RPCPayload(contentType: RPCPayload.bytes, body: largeReply ?? request.body)
        }
        return router
    }
}
