import AMQP
import Foundation

/// Where the servers and the executables are. Without the servers these tests fail: they are about nothing else.
enum TestEnvironment {
    struct Missing: Error, CustomStringConvertible {
        let name: String
        let meaning: String

        var description: String { "\(name) is missing: set it to \(meaning), or run ./ops/test" }
    }

    /// The address of a virtual host that nothing else uses while the tests run.
    static func broker() throws -> String {
        try value("RABBIT_END_TO_END", meaning: "the address of a virtual host of a RabbitMQ of these tests' own")
    }

    /// The address of the same virtual host with the user of a program (`video-storage`, `millrace`), who may do what that
    /// program has to do, and nothing else.
    static func broker(for program: String) throws -> String {
        try value(
            "RABBIT_\(program.uppercased().replacing("-", with: "_"))",
            meaning: "the address of RABBIT_END_TO_END with the user of \(program)")
    }

    static func database() throws -> String {
        try value("DBHOST", meaning: "the mongodb:// address of a server")
    }

    /// A Python that has Prometheus' parser.
    static func python() throws -> URL {
        URL(fileURLWithPath: try value("TEST_PYTHON", meaning: "the path of a Python that has prometheus-client"))
    }

    /// The mongod that ``PrivateDatabase`` starts.
    static func databaseProgram() throws -> URL {
        URL(fileURLWithPath: try value("MONGOD", meaning: "the path of a mongod"))
    }

    /// The folder of the built services; next to the tests, unless `MILLRACE_BIN` says where.
    static func products() throws -> URL {
        let folder =
            if let path = ProcessInfo.processInfo.environment["MILLRACE_BIN"], !path.isEmpty {
                URL(fileURLWithPath: path, isDirectory: true)
            } else {
                URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            }
        let gateway = folder.appendingPathComponent(ServiceKind.gateway.rawValue)
        guard FileManager.default.isExecutableFile(atPath: gateway.path) else {
            throw Missing(
                name: "MILLRACE_BIN", meaning: "the folder of the built executables (\(gateway.path) is none)")
        }
        return folder
    }

    /// The folder `ops/sample` of the checkout that these tests were built from.
    static var samples: URL {
        URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../ops/sample").standardizedFileURL
    }

    /// Whether the tests that take minutes or gigabytes are to run.
    static var longTestsAreWanted: Bool { ProcessInfo.processInfo.environment["MILLRACE_LONG_TESTS"] == "1" }

    static func value(_ name: String, meaning: String) throws -> String {
        guard let value = ProcessInfo.processInfo.environment[name], !value.isEmpty else {
            throw Missing(name: name, meaning: meaning)
        }
        return value
    }
}
