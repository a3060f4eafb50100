import AMQP
import ArgumentParser
import Contracts
import Domain
import Foundation

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Checks broker, queues, workers and their databases, and says how to mend what is wrong.",
        discussion: "The exit code is 0 when everything is well, 1 when something is not.")

    @OptionGroup var stack: StackOptions

    func run() async throws {
        let report = DoctorReport()
        try await Stack.with(stack) { connection in
            guard await report.broker(connection, deadline: stack.deadline) else { return }
            let queues = [
                (MetadataWire.queryQueue, "video-metadata"), (MetadataWire.commandQueue, "video-metadata"),
                (StorageWire.readQueue, "video-storage"), (StorageWire.writeQueue, "video-storage"),
                (StorageWire.administrationQueue, "video-storage"), (StorageWire.maintenanceQueue, "video-storage"),
            ]
            for (queue, service) in queues { await report.queue(queue, of: service, connection) }
            await report.metadata(connection, deadline: stack.deadline)
            await report.storage(connection, deadline: stack.deadline)
        }
        guard await report.isWell else { throw ExitCode(1) }
        print("Everything is well.")
    }
}

/// Makes the checks and prints what they find, a line each.
private actor DoctorReport {
    private(set) var isWell = true

    private func good(_ what: String, _ detail: String) {
        print("✓ \(what.padding(to: 24)) \(detail.printable)")
    }

    private func bad(_ what: String, _ detail: String, remedy: String) {
        isWell = false
        print("✗ \(what.padding(to: 24)) \(detail.printable)")
        print("  \("".padding(to: 24)) \(remedy)")
    }

    func broker(_ stack: Stack, deadline: Deadline) async -> Bool {
        guard await stack.connected(by: deadline) else {
            bad(
                "broker", "no connection to \(stack.address)",
                remedy:
                    "Is RabbitMQ running there, and are user, password and virtual host right? RABBIT says where it is."
            )
            return false
        }
        if let reason = stack.amqp.blockedReason {
            bad("broker", "takes no messages: \(reason)", remedy: "Free memory or disk on the broker's machine.")
        } else {
            good("broker", "connected to \(stack.address)")
        }
        return true
    }

    func queue(_ name: String, of service: String, _ stack: Stack) async {
        do {
            let status = try await stack.amqp.inspectQueue(name)
            let workers = status?.consumers ?? 0
            guard let status, workers > 0 else {
                return bad(name, "no worker", remedy: "Start a \(service); it makes the queue by itself.")
            }
            good(name, "\(workers) worker\(workers == 1 ? "" : "s"), \(status.readyMessages) waiting")
        } catch {
            bad(name, error.message, remedy: "Give this user the right to see the queue.")
        }
    }

    func metadata(_ stack: Stack, deadline: Deadline) async {
        do {
            let page = try await stack.metadata.list(after: nil, limit: 1, deadline: deadline)
            good("metadata and database", page.videos.isEmpty ? "answer; there are no videos yet" : "answer")
        } catch {
            bad(
                "metadata and database", error.message,
                remedy: "See the log of video-metadata; DBHOST says where its database is.")
        }
    }

    func storage(_ stack: Stack, deadline: Deadline) async {
        do throws(ServiceError) {
            // An object that cannot be there: the answer "not found" has gone through catalogue and provider.
            _ = try await stack.storage.stat(StorageKey("millrace-doctor/no-such-object"), deadline: deadline)
            good("storage and catalogue", "answer")
        } catch {
            guard error.code != .notFound else { return good("storage and catalogue", "answer") }
            bad(
                "storage and catalogue", error.message,
                remedy:
                    "See the log of video-storage; DBHOST says where its catalogue is, STORAGE_DIRECTORY where the bytes are."
            )
        }
    }
}
