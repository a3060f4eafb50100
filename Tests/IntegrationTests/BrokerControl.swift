import Foundation
import Testing

/// Runs `rabbitmqctl` for the private broker of the tests; RABBITMQ_CTL names a script that does.
enum BrokerControl {
    /// Runs a command off the cooperative pool, and fails the test when it fails.
    ///
    /// - Returns: What it printed; at most as much as a pipe holds, which is enough for the commands of these tests.
    @discardableResult
    static func run(_ arguments: [String]) async throws -> String {
        let path = try #require(
            ProcessInfo.processInfo.environment["RABBITMQ_CTL"], "set RABBITMQ_CTL to a rabbitmqctl, or run ./ops/test")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        let status: Int32 = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do {
                try process.run()
            } catch {
                process.terminationHandler = nil
                continuation.resume(throwing: error)
            }
        }
        let text = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        #expect(status == 0, "rabbitmqctl \(arguments.joined(separator: " ")) failed")
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
