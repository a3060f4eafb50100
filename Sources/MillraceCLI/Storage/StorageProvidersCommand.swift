import ArgumentParser
import Domain

struct StorageProvidersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "providers",
        abstract: "Lists the providers that the storage workers have, and whether they answer.",
        discussion: """
            One of the workers answers; all should be configured alike. The exit code is 0 when every provider answers, 1
            when one does not.
            """)

    @OptionGroup var stack: StackOptions

    func run() async throws {
        let failures = FailureList()
        try await Stack.with(stack) { connection in
            for provider in try await connection.administration.providers(deadline: stack.deadline) {
                let state = provider.problem.map { "does not answer: \($0)" } ?? "answers"
                let role = provider.isPrimary ? "new objects go here" : ""
                print("\(provider.name.padding(to: 12))  \(role.padding(to: 20))  \(state.printable)")
                if let problem = provider.problem { failures.add(try StorageKey(provider.name), problem) }
            }
        }
        guard failures.isEmpty else { throw ExitCode(1) }
    }
}
