import Testing

@testable import AMQP

@Suite struct BrokerAddressTests {
    @Test func everyPartIsRead() throws {
        let address = try BrokerAddress("amqp://anna:s%2Fecret@broker.example:5673/film%2Farchive")
        #expect(address.host == "broker.example")
        #expect(address.port == 5_673)
        #expect(address.user == "anna")
        #expect(address.password == "s/ecret")
        #expect(address.virtualHost == "film/archive")
        #expect(!address.usesTLS)
    }

    @Test func whatIsNotNamedIsRabbitMQsDefault() throws {
        let address = try BrokerAddress("amqp://localhost")
        #expect(address.port == 5_672)
        #expect(address.user == "guest")
        #expect(address.virtualHost == "/")
        let secure = try BrokerAddress("amqps://localhost/")
        #expect(secure.port == 5_671)
        #expect(secure.usesTLS)
        #expect(secure.virtualHost == "/")
    }

    @Test(arguments: ["", "localhost", "http://localhost", "amqp://a:b:c@d", "amqp://host:port", "amqp://\0"])
    func whatIsNoAddressIsRefusedWithAnExample(text: String) {
        let error = #expect(throws: AMQPError.self) { try BrokerAddress(text) }
        #expect(error?.kind == .invalidConfiguration)
        #expect(error?.message.contains("amqp://user:password@host:5672/vhost") == true)
    }

    @Test func aPasswordIsNeverPrinted() throws {
        #expect(!"\(try BrokerAddress("amqp://anna:secret@broker"))".contains("secret"))
        let error = #expect(throws: AMQPError.self) { try BrokerAddress("amqp://anna:secret@broker:x") }
        #expect(error?.description.contains("secret") == false)
    }
}
