import Testing

@testable import Mongo

@Suite struct MongoConfigurationTests {
    private func error(
        uri: String = "mongodb://host", database: String = "video-metadata",
        change: (inout MongoConfiguration) -> Void = { _ in }
    ) -> MongoError? {
        var configuration = MongoConfiguration(uri: uri, database: database)
        change(&configuration)
        do {
            try configuration.validate()
            _ = try DriverURI(configuration)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [
        "mongodb://host", "mongodb://user:p%40ss@host:27017/?authSource=admin", "mongodb://a,b:1,c/?replicaSet=r",
        "mongodb://[::1]:27017", "mongodb://host/?socketTimeoutMS=1&maxPoolSize=3&appName=x",
    ])
    func wellFormedURIsAreTaken(uri: String) {
        #expect(error(uri: uri) == nil)
    }

    @Test(arguments: [
        "", "secret", "amqp://user:secret@host", "mongodb://", "mongodb://user:secret@",
        "mongodb://user:se/secret@host",
        "mongodb://user:secret%zz@host", "mongodb://user:secret@host:99999",
        "mongodb://user:secret@host/?appName", "mongodb://host/?maxPoolSize=secret&=", "mongodb://user:secret@host\0",
        "mongodb://us:er:secret@host:port",
    ])
    func malformedURIsAreRefusedWithoutQuotingThem(uri: String) {
        let error = error(uri: uri)
        #expect(error != nil, "\(uri)")
        #expect(error?.kind == .invalidConfiguration)
        #expect(error?.message.contains("secret") == false)
        #expect(error.map { "\($0)" }?.contains("mongodb://user:password@host") == true)
    }

    @Test(arguments: ["", "a/b", "a b", "a.b", "a$b", "a\0b", String(repeating: "x", count: 64)])
    func databaseNamesThatMongoDBRefusesAreRefused(name: String) {
        #expect(error(database: name)?.kind == .invalidConfiguration)
    }

    @Test func limitsOutOfRangeAreRefusedByName() {
        #expect(error { $0.poolThreads = 0 }?.message.contains("poolThreads") == true)
        #expect(error { $0.poolThreads = 65 }?.kind == .invalidConfiguration)
        #expect(error { $0.maxQueuedOperations = 0 }?.message.contains("maxQueuedOperations") == true)
        #expect(error { $0.maxResultBytes = 0 }?.kind == .invalidConfiguration)
        #expect(error { $0.socketTimeoutMilliseconds = 0 }?.message.contains("timeout") == true)
        #expect(error { $0.appName = String(repeating: "x", count: 129) }?.message.contains("appName") == true)
    }

    @Test func theConfigurationDoesNotPrintItsURI() {
        let configuration = MongoConfiguration(uri: "mongodb://user:secret@host", database: "d")
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), dumped] {
            #expect(!text.contains("secret"))
        }
    }
}
