import ArgumentParser
import Domain
import NIOHTTP1

/// Deletes videos through the gateway.
struct DeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Deletes videos through the gateway: records at once, their bytes a little later.",
        discussion: "GATEWAY_URL and WRITE_TOKEN are taken as millrace upload takes them.")

    @Argument(help: "The ids of the videos.", transform: VideoIDArgument.read)
    var ids: [VideoID]

    @OptionGroup var gateway: GatewayOptions

    func run() async throws {
        let client = try await gateway.client()
        var failures = 0
        for id in ids {
            let answer = try await client.send(.DELETE, "/videos/\(id)")
            if answer.status == 204 {
                print("\(id)  deleted")
            } else {
                failures += 1
                print("\(id)  \(answer.words)")
            }
        }
        if failures > 0 { throw ExitCode.failure }
    }
}
