import Foundation

/// A program that was run to its end.
struct ProgramRun: Sendable {
    let exit: LaunchedProcess.Exit
    let output: String
    let errors: String

    /// Runs a program with the given environment alone.
    ///
    /// - Throws: When it cannot be started, or does not end in time; then it is ended.
    static func of(
        _ program: URL, _ arguments: [String], environment: [String: String] = [:],
        within limit: Duration = .seconds(30)
    ) async throws -> ProgramRun {
        let folder = FileManager.default.temporaryDirectory
        let output = folder.appendingPathComponent("millrace-\(UUID().uuidString).out")
        let errors = output.appendingPathExtension("err")
        defer { for file in [output, errors] { try? FileManager.default.removeItem(at: file) } }
        let process = try await LaunchedProcess(
            .init(
                executable: program, arguments: arguments, environment: environment, folder: folder,
                standardOutput: output, standardError: errors))
        defer { process.signal(SIGKILL) }
        let exit = try await process.exit(within: limit)
        return ProgramRun(
            exit: exit, output: try String(contentsOf: output, encoding: .utf8),
            errors: try String(contentsOf: errors, encoding: .utf8))
    }
}
