import ArgumentParser
import Domain
import Foundation
import ServiceKit

/// How the gateway is reached: the options of the commands that go through HTTP, as a user would.
struct GatewayOptions: ParsableArguments {
    @Option(help: "The gateway's address. Default: GATEWAY_URL, or what .millrace/stack.env says.")
    var gateway: String?

    /// Connects to nothing yet.
    ///
    /// - Throws: An error that names the variable which is missing or wrong.
    func client() async throws -> GatewayClient {
        let settings = try await StackOptions.environment()
        let address =
            try gateway
            ?? settings.text("GATEWAY_URL", meaning: "the address of the gateway", example: "http://localhost:4000")
        let token = try settings.secret(
            "WRITE_TOKEN", meaning: "the token that the gateway was started with", example: "$(openssl rand -hex 32)")
        return try GatewayClient(address: address, token: token)
    }
}

/// Reads a video's id from the command line.
enum VideoIDArgument {
    /// - Throws: A `ValidationError` unless it is 24 hexadecimal digits.
    static func read(_ text: String) throws -> VideoID {
        guard let id = VideoID(text) else { throw ValidationError("A video's id is 24 hexadecimal digits.") }
        return id
    }
}
