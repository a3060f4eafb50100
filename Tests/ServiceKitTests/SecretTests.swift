import Configuration
import Foundation
import ServiceKit
import Testing

/// Secrets out of files.
struct SecretTests {
    private func settings(_ values: [String: String]) -> Settings {
        Settings(EnvironmentVariablesProvider(environmentVariables: values))
    }

    private func withFile(_ bytes: String, _ work: (String) throws -> Void) throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("secret-\(UUID().uuidString)")
        try Data(bytes.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try work(file.path)
    }

    @Test(arguments: [
        ("hunter2", "hunter2"), ("hunter2\n", "hunter2"), ("hunter2\n\n", "hunter2\n"), ("hunter2\r\n", "hunter2"),
        (" hunter2 ", " hunter2 "),
    ])
    func aSecretIsWhatIsInTheFileWithoutOneLineBreak(_ bytes: String, _ secret: String) throws {
        try withFile(bytes) { path in
            let settings = settings(["RABBIT_FILE": path])
            let optional = try settings.optionalSecret("RABBIT")
            let needed = try settings.secret("RABBIT", meaning: "the broker", example: "amqp://")
            #expect(optional == secret && needed == secret)
        }
    }

    @Test func theVariableItselfStillCounts() throws {
        #expect(try settings(["RABBIT": "hunter2"]).optionalSecret("RABBIT") == "hunter2")
        #expect(try settings(["RABBIT": "", "RABBIT_FILE": ""]).optionalSecret("RABBIT") == nil)
    }

    @Test func bothAreAnErrorThatNamesBothAndNotTheSecret() throws {
        try withFile("hunter3") { path in
            let error = #expect(throws: SettingError.self) {
                try settings(["RABBIT": "hunter2", "RABBIT_FILE": path]).optionalSecret("RABBIT")
            }
            let text = try #require(error?.description)
            #expect(text == "RABBIT cannot be used: RABBIT_FILE is set as well. Set one of the two")
        }
    }

    @Test func whatAnEnvironmentSaysComesBeforeAFileOfSettings() throws {
        try withFile("hunter2") { path in
            let settings = Settings(
                EnvironmentVariablesProvider(environmentVariables: ["RABBIT_FILE": path]),
                EnvironmentVariablesProvider(environmentVariables: ["RABBIT": "other"]))
            let secret = try settings.optionalSecret("RABBIT")
            #expect(secret == "hunter2")
        }
    }

    @Test func aFileThatCannotBeReadIsNamed() throws {
        for path in ["/no/such/file", "/tmp"] {
            let error = #expect(throws: SettingError.self) {
                try settings(["RABBIT_FILE": path]).optionalSecret("RABBIT")
            }
            #expect(error?.description.hasPrefix("RABBIT_FILE cannot be used: the file \(path) cannot be read") == true)
        }
        try withFile("\n") { path in
            let error = #expect(throws: SettingError.self) {
                try settings(["RABBIT_FILE": path]).optionalSecret("RABBIT")
            }
            #expect(error?.description.contains("\(path) is empty") == true)
        }
    }

    @Test func aMissingSecretNamesBothWays() {
        let error = #expect(throws: SettingError.self) {
            try settings([:]).secret("RABBIT", meaning: "the address of the broker", example: "amqp://localhost")
        }
        #expect(
            error?.description
                == "RABBIT is missing. It is the address of the broker (RABBIT_FILE may name a file that holds it), "
                + "for example RABBIT=amqp://localhost")
    }
}
