import Testing

@testable import AMQP

@Suite struct BrokerAddressTests {
    @Test func everyPartIsRead() throws {
        let address = try BrokerAddress("amqp://anna:s%2Fecret@broker.example:5673/film%2Farchive")
        #expect(address.hosts == [BrokerHost(name: "broker.example", port: 5_673)])
        #expect(address.user == "anna")
        #expect(address.password == "s/ecret")
        #expect(address.virtualHost == "film/archive")
        #expect(!address.usesTLS)
    }

    @Test func whatIsNotNamedIsRabbitMQsDefault() throws {
        let address = try BrokerAddress("amqp://localhost")
        #expect(address.hosts == [BrokerHost(name: "localhost", port: 5_672)])
        #expect(address.user == "guest")
        #expect(address.virtualHost == "/")
        let secure = try BrokerAddress("amqps://localhost/")
        #expect(secure.hosts == [BrokerHost(name: "localhost", port: 5_671)])
        #expect(secure.usesTLS)
        #expect(secure.virtualHost == "/")
    }

    @Test func aClusterHasSeveralHosts() throws {
        let address = try BrokerAddress("amqps://anna:a%2Cb,c@one:1,two,[::1]:3,[fe80::2]/film,archive")
        #expect(
            address.hosts == [
                BrokerHost(name: "one", port: 1), BrokerHost(name: "two", port: 5_671),
                BrokerHost(name: "::1", port: 3), BrokerHost(name: "fe80::2", port: 5_671),
            ])
        #expect(address.user == "anna")
        #expect(address.password == "a,b,c")
        #expect(address.virtualHost == "film,archive")
        #expect(address.usesTLS)
        #expect(address.description == "amqps://anna@one:1,two:5671,[::1]:3,[fe80::2]:5671/film,archive")
        #expect(address.description(at: address.hosts[2]) == "amqps://anna@[::1]:3/film,archive")
        // What it prints can be read again.
        #expect(try BrokerAddress(address.description).hosts == address.hosts)
    }

    @Test(
        arguments: [
            "", "localhost", "http://localhost", "amqp://a:b:c@d", "amqp://host:port", "amqp://\0", "amqp://",
            "amqp://one,", "amqp://,two", "amqp://one,,two", "amqp://u:p@", "amqp://u:p@,two/", "amqp://u:p@:5672/",
            "amqp://one:1,:2", "amqp://one,two:port", "amqp://one:99999,two", "amqp://u:p@one,u:p@two",
            "amqp://one,amqp://two", "amqp://[::1,two", "amqp://::1,two", "amqp://one?a=b,two", "amqp://[::1]x,two",
        ])
    func whatIsNoAddressIsRefusedWithAnExample(text: String) {
        let error = #expect(throws: AMQPError.self) { try BrokerAddress(text) }
        #expect(error?.kind == .invalidConfiguration)
        #expect(error?.message.contains("amqp://user:password@host:5672/vhost") == true)
        #expect(error?.message.contains("amqp://user:password@host1:5672,host2:5672/vhost") == true)
    }

    @Test func aPasswordIsNeverPrinted() throws {
        for text in ["amqp://anna:secret@broker", "amqp://anna:secret@broker,other"] {
            let address = try BrokerAddress(text)
            #expect(!"\(address) \(address.description(at: address.hosts[0]))".contains("secret"))
        }
        for text in ["amqp://anna:secret@broker:x", "amqp://anna:secret@broker,:x", "amqp://anna:secret@a,,b"] {
            let error = #expect(throws: AMQPError.self) { try BrokerAddress(text) }
            #expect(error?.description.contains("secret") == false)
        }
    }
}

@Suite struct JoinedErrorTests {
    @Test func theFailuresAtSeveralHostsBecomeOne() {
        let one = AMQPError(.unreachable, "No broker answers at one.")
        let two = AMQPError(.unreachable, "No broker answers at two.")
        #expect(AMQPError(joining: [one]).message == one.message)
        #expect(AMQPError(joining: [one, two]).message == "No broker answers at one. No broker answers at two.")
        #expect(AMQPError(joining: [one, two]).kind == .unreachable)
    }

    @Test func whatIsWrongEverywhereIsToldOnceAndKeepsItsKind() {
        let wrong = AMQPError(.invalidConfiguration, "RABBIT_CA_FILE cannot be read.")
        #expect(AMQPError(joining: [wrong, wrong]).message == wrong.message)
        #expect(AMQPError(joining: [wrong, wrong]).kind == .invalidConfiguration)
        let refused = AMQPError(.refused, "No.")
        #expect(AMQPError(joining: [refused, AMQPError(.unreachable, "Gone.")]).kind == .unreachable)
    }

    @Test func whoWasToldToStopBeforeTheFirstHostIsClosed() {
        #expect(AMQPError(joining: []).kind == .closed)
    }
}
