import Configuration
import ServiceKit
import Testing

struct CommonSettingsTests {
    private static let complete = [
        "PORT": "4000", "RABBIT": "amqp://user:hunter2@broker:5672", "DBHOST": "mongodb://user:hunter2@database",
        "DBNAME": "video-metadata",
    ]

    private func settings(_ variables: [String: String]) -> Settings {
        Settings(EnvironmentVariablesProvider(environmentVariables: variables))
    }

    @Test func whatEveryServiceHasIsRead() throws {
        let common = try CommonSettings(settings(Self.complete), portPurpose: "the gateway's front")
        #expect(common.port == 4_000)
        #expect(common.host == "0.0.0.0")
        #expect(common.broker == "amqp://user:hunter2@broker:5672")
        #expect(common.brokerCertificateFile == nil)
        let database = try DatabaseSettings(settings(Self.complete))
        #expect(database.uri == "mongodb://user:hunter2@database")
        #expect(database.name == "video-metadata")
    }

    @Test func whatMayBeMissingIsReadWhereItIsThere() throws {
        let more = Self.complete.merging(["HOST": "127.0.0.1", "RABBIT_CA_FILE": "/etc/ca.pem"]) { $1 }
        let common = try CommonSettings(settings(more), portPurpose: "the gateway's front")
        #expect(common.host == "127.0.0.1")
        #expect(common.brokerCertificateFile == "/etc/ca.pem")
    }

    @Test(arguments: ["PORT", "RABBIT", "DBHOST", "DBNAME"])
    func whatIsMissingIsNamedAndNoPasswordIsTold(_ name: String) {
        var variables = Self.complete
        variables[name] = nil
        let settings = settings(variables)
        #expect {
            _ = try CommonSettings(settings, portPurpose: "the gateway's front")
            _ = try DatabaseSettings(settings)
        } throws: { error in
            let error = error as? SettingError
            return error?.name == name && error?.description.hasPrefix("\(name) is missing. It is the ") == true
                && error?.description.contains("for example \(name)=") == true
                && error?.description.contains("hunter2") == false
        }
    }

    @Test(arguments: ["-1", "65536", "http", "80/tcp"])
    func aPortThatIsNoneIsRefused(_ port: String) {
        let settings = settings(Self.complete.merging(["PORT": port]) { $1 })
        #expect(throws: SettingError.self) { try CommonSettings(settings, portPurpose: "the gateway's front") }
    }
}
