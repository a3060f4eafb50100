import FoundationEssentials
import Logging
import Mongo

/// A database of its own on the server that `DBHOST` names, dropped after the test.
enum MongoFixture {
    struct MissingServer: Error, CustomStringConvertible {
        let description = "no MongoDB server to test against: set DBHOST to a mongodb:// URI, or run ./ops/test"
    }

    static func uri() throws -> String {
        guard let uri = ProcessInfo.processInfo.environment["DBHOST"], !uri.isEmpty else { throw MissingServer() }
        return uri
    }

    /// Says what fails only; the tests provoke failures by the dozen.
    static var logger: Logger {
        var logger = Logger(label: "mongo.tests")
        logger.logLevel = .critical
        return logger
    }

    static func withClient(
        configure: (inout MongoConfiguration) -> Void = { _ in },
        _ body: (MongoClient) async throws -> Void
    ) async throws {
        var configuration = MongoConfiguration(uri: try uri(), database: "test-\(ObjectID())", appName: "mongo-tests")
        configure(&configuration)
        let client = try MongoClient(configuration: configuration, logger: logger)
        do {
            try await body(client)
        } catch {
            await drop(configuration)
            await client.shutdown()
            throw error
        }
        await drop(configuration)
        await client.shutdown()
    }

    /// With a client of the `admin` database, which sees what the server is doing.
    static func withObserver(_ body: (MongoClient) async throws -> Void) async throws {
        let observer = try MongoClient(
            configuration: MongoConfiguration(uri: try uri(), database: "admin"), logger: logger)
        do {
            try await body(observer)
        } catch {
            await observer.shutdown()
            throw error
        }
        await observer.shutdown()
    }

    /// With a client of its own, since the test may have closed or filled its client.
    private static func drop(_ configuration: MongoConfiguration) async {
        guard let uri = try? uri(),
            let client = try? MongoClient(
                configuration: MongoConfiguration(uri: uri, database: configuration.database), logger: logger)
        else { return }
        _ = try? await client.runCommand(["dropDatabase": 1], deadline: .now + .seconds(10))
        await client.shutdown()
    }

    /// The error that `body` throws, which must be a ``MongoError``.
    static func error(_ body: () async throws -> Void) async throws -> MongoError? {
        do {
            try await body()
            return nil
        } catch let error as MongoError {
            return error
        }
    }
}

extension ContinuousClock.Instant {
    /// Long enough for anything that is expected to succeed.
    static var soon: ContinuousClock.Instant { .now + .seconds(60) }
}
