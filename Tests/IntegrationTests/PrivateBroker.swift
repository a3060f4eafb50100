import AMQP
import Foundation
import Glibc
import Synchronization
import Testing

/// A second node like the broker of these tests, with data and a port of its own, which a test may kill.
///
/// RABBITMQ_CTL lies in the folder of the first node's scripts and settings; the second gets copies of them.
final class PrivateBroker: Sendable {
    struct CannotStart: Error {}

    let address: BrokerAddress
    private let folder: URL
    /// The process of the node, while it runs.
    private let running = Mutex<Process?>(nil)

    init() throws {
        let control = try #require(
            ProcessInfo.processInfo.environment["RABBITMQ_CTL"], "set RABBITMQ_CTL to a rabbitmqctl, or run ./ops/test")
        let original = URL(fileURLWithPath: control).deletingLastPathComponent()
        let first = try TestBroker.address()
        let port = try Self.freePort()
        address = try TestBroker.address(port: port, of: first)
        folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("broker-\(UInt64.random(in: 0...UInt64.max))")
        try FileManager.default.createDirectory(
            at: folder.appendingPathComponent("home"), withIntermediateDirectories: true)
        for name in ["rabbitmq-server", "rabbitmq.conf", "definitions.json", "enabled_plugins"] {
            var text = try String(contentsOf: original.appendingPathComponent(name), encoding: .utf8)
            text = text.replacingOccurrences(of: original.path, with: folder.path)
            text = text.replacingOccurrences(of: ":\(first.hosts[0].port)\n", with: ":\(port)\n")
            // The first node has the TLS ports, and its certificates are not copied.
            let plain = text.split(separator: "\n", omittingEmptySubsequences: false)
                .filter { !$0.hasPrefix("listeners.ssl") && !$0.hasPrefix("ssl_options") }
            let lines = try plain.map { line in
                if line.hasPrefix("export RABBITMQ_NODENAME=") { return "export RABBITMQ_NODENAME=second@localhost" }
                guard line.hasPrefix("export RABBITMQ_DIST_PORT=") else { return String(line) }
                return "export RABBITMQ_DIST_PORT=\(try Self.freePort())"
            }
            let copy = folder.appendingPathComponent(name)
            try lines.joined(separator: "\n").write(to: copy, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: copy.path)
        }
    }

    /// Starts the node. It serves some seconds later.
    func start() throws {
        let log = folder.appendingPathComponent("log.txt")
        _ = FileManager.default.createFile(atPath: log.path, contents: nil)
        let output = try FileHandle(forWritingTo: log)
        let process = Process()
        process.executableURL = folder.appendingPathComponent("rabbitmq-server")
        process.environment = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("RABBITMQ_") && !$0.key.hasPrefix("ERL_")
        }
        process.standardOutput = output
        process.standardError = output
        try process.run()
        try output.close()
        running.withLock { $0 = process }
    }

    /// Ends the node as `kill -9` does, and waits until it has ended.
    func kill() async throws {
        let process = running.withLock { running in
            defer { running = nil }
            return running
        }
        guard let process else { return }
        Glibc.kill(process.processIdentifier, SIGKILL)
        try await eventually("the broker has ended") { !process.isRunning }
    }

    /// Ends the node and deletes its data.
    func remove() async throws {
        try await kill()
        try FileManager.default.removeItem(at: folder)
    }

    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length) == 0 ? getsockname(descriptor, pointer, &length) : -1
            }
        }
        guard status == 0 else { throw CannotStart() }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
