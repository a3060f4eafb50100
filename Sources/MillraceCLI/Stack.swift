import AMQP
import ArgumentParser
import Configuration
import Contracts
import Domain
import Foundation
import Logging
import RPC
import ServiceKit
import ServiceLifecycle
import SystemPackage

/// How the stack is reached: the options that every command has.
struct StackOptions: ParsableArguments {
    @Option(help: "The broker's address. Default: RABBIT, or what .millrace/stack.env says.")
    var rabbit: String?

    @Option(help: "How long to wait for each answer, in seconds (1 to 3600).")
    var timeout = 10

    func validate() throws {
        guard (1...3_600).contains(timeout) else {
            throw ValidationError("--timeout is a number of seconds from 1 to 3600.")
        }
    }

    /// The environment, then the file that a running stack writes.
    static func environment() async throws -> Settings {
        let environment = EnvironmentVariablesProvider()
        guard let file = stackFile() else { return Settings(environment) }
        return Settings(environment, try await EnvironmentVariablesProvider(environmentFilePath: FilePath(file)))
    }

    /// `.millrace/stack.env` here or in the nearest folder above.
    private static func stackFile() -> String? {
        var folder = URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
        while true {
            let file = folder.appendingPathComponent(".millrace/stack.env").path
            if FileManager.default.fileExists(atPath: file) { return file }
            guard folder.path != "/" else { return nil }
            folder.deleteLastPathComponent()
        }
    }

    func address() async throws -> BrokerAddress {
        let settings = try await Self.environment()
        let text =
            try rabbit
            ?? settings.secret(
                "RABBIT", meaning: "the address of the RabbitMQ broker", example: "amqp://guest:guest@localhost:5672")
        return try BrokerAddress(text, certificateAuthorityFile: settings.optionalText("RABBIT_CA_FILE")).checked()
    }

    var deadline: Deadline { .after(.seconds(timeout)) }
}

/// A connection to the stack for as long as a command runs.
struct Stack: Sendable {
    let address: BrokerAddress
    let amqp: AMQPClient
    let metadata: any MetadataService
    let storage: any StorageService
    let administration: any StorageAdministration

    /// Connects, does the work, and disconnects.
    static func with(_ options: StackOptions, _ work: @Sendable (Stack) async throws -> Void) async throws {
        let address = try await options.address()
        // A person reads the one-line error of the command, not a log.
        var logger = Logger(label: "millrace")
        logger.logLevel = .critical
        let amqp = try AMQPClient(
            AMQPConfiguration(
                address: address, connectionName: "millrace",
                declarations: RPCTopology.requests(
                    to: [
                        MetadataWire.queryQueue, MetadataWire.commandQueue, StorageWire.readQueue,
                        StorageWire.writeQueue,
                        StorageWire.administrationQueue, StorageWire.maintenanceQueue,
                    ])), logger: logger)
        let rpc = RPCClient(
            over: amqp, name: "millrace", services: [MetadataWire.service, StorageWire.service], logger: logger)
        let stack = Stack(
            address: address, amqp: amqp, metadata: MetadataClient(rpc), storage: StorageClient(rpc),
            administration: StorageAdministrationClient(rpc))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await amqp.run() }
            group.addTask { try await rpc.run() }
            defer { group.cancelAll() }
            try await work(stack)
        }
    }

    /// Waits for the connection.
    func connected(by deadline: Deadline) async -> Bool {
        while !amqp.isConnected {
            guard !deadline.hasPassed() else { return false }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return true
    }
}
