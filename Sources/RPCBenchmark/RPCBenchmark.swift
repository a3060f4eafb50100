import AMQP
import ArgumentParser
import Glibc
import Logging
import RPC
import SystemPackage

/// Millrace's half of `ops/bench rpc`: what the gateway and a worker do, without video. It is no part of what ships.
///
/// The arguments and the output of its caller and worker are those of the C program that it is measured against, in `ops/benchmarks/rpc_peer/`.
@main
struct RPCBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rpc-benchmark",
        abstract: "Asks and answers by RPC over a broker, and measures it. ops/bench rpc runs it.",
        subcommands: [CallerCommand.self, WorkerCommand.self, LatenciesCommand.self])
}

/// What both roles are told, and how they reach the broker.
struct BrokerOptions: ParsableArguments {
    @Option(help: "The queue that requests go to.")
    var queue: String

    @Option(help: "The name of the service that answers.")
    var service: String

    @Option(help: "How large a reply is, in bytes; 0 is the request itself.")
    var replyBytes = 0

    var method: RPCMethod { RPCMethod("benchmark.echo.v1", queue: queue, isIdempotent: true) }

    /// Nothing is logged while all goes well: logging is not what is measured.
    var logger: Logger {
        var logger = Logger(label: "rpc-benchmark")
        logger.logLevel = .warning
        return logger
    }

    /// Connections to the broker that RABBIT names, made as the services make theirs.
    func client(_ name: String) throws -> AMQPClient {
        guard let address = getenv("RABBIT").map({ String(cString: $0) }) else {
            throw ValidationError("RABBIT is not set: the broker's address, amqp://user:password@host:5672/vhost.")
        }
        return try AMQPClient(
            AMQPConfiguration(
                address: BrokerAddress(address), connectionName: name,
                declarations: RPCTopology.requests(to: [queue])),
            logger: logger)
    }
}

/// What goes to standard output, which a script reads line by line.
enum Output {
    static func line(_ text: String) throws {
        try FileDescriptor.standardOutput.writeAll("\(text)\n".utf8)
    }

    /// The line of a result: a JSON object of numbers.
    static func result(_ figures: KeyValuePairs<String, Double>) throws {
        try line("{" + figures.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ") + "}")
    }
}
