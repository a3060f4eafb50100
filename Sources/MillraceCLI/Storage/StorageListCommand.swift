import ArgumentParser
import Domain

struct StorageListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists the objects in the byte order of their keys: size, provider, checksum, key.",
        discussion: """
            A file that was put into a provider by hand and that nobody has asked for yet is not known and not listed.
            One that was adopted has no checksum until it has been moved.
            """)

    @Option(help: "Only the objects in this provider.")
    var provider: String?

    @OptionGroup var stack: StackOptions

    func run() async throws {
        try await Stack.with(stack) { connection in
            let objects = ObjectPages(connection.administration, timeout: .seconds(stack.timeout))
            var (count, bytes): (Int, Int64) = (0, 0)
            try await objects.visit { object in
                guard provider == nil || object.provider == provider else { return }
                count += 1
                bytes += object.size
                print(Self.line(object))
            }
            print("\(count) object\(count == 1 ? "" : "s"), \(ProgressBar.size(bytes))")
        }
    }

    static func line(_ object: StoredObject) -> String {
        let checksum = object.checksum.map { String($0.prefix(19)) } ?? "-"
        let size = ProgressBar.size(object.size)
        return "\(String(repeating: " ", count: max(0, 8 - size.count)) + size)  \(object.provider.padding(to: 10))  "
            + "\(checksum.padding(to: 19))  \(object.key.description.printable)"
    }
}
