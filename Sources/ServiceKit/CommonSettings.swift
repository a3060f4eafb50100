/// The settings that every service has.
public struct CommonSettings: Sendable {
    /// The address to listen at for HTTP.
    public let host: String
    /// The port to listen at for HTTP.
    public let port: Int
    /// The broker's address, with its password.
    public let broker: String
    /// The certificates to trust with `amqps://`.
    public let brokerCertificateFile: String?

    /// Reads them.
    ///
    /// - Parameters:
    ///   - settings: Where they come from.
    ///   - purpose: What the port is for.
    /// - Throws: ``SettingError`` for one that is missing or wrong.
    public init(_ settings: Settings, portPurpose purpose: String) throws(SettingError) {
        // A container has no other way in than all of its interfaces; who runs it by hand may say 127.0.0.1.
        host = settings.optionalText("HOST") ?? "0.0.0.0"
        port = try settings.number("PORT", meaning: "the TCP port of \(purpose)", in: 0...65_535, default: nil)
        broker = try settings.secret(
            "RABBIT", meaning: "the address of the RabbitMQ broker", example: "amqp://guest:guest@localhost:5672")
        brokerCertificateFile = settings.optionalText("RABBIT_CA_FILE")
    }
}

/// The settings of a service that has a database.
public struct DatabaseSettings: Sendable {
    /// The connection string, with its password.
    public let uri: String
    /// The database that this service alone uses.
    public let name: String

    /// Reads them.
    public init(_ settings: Settings) throws(SettingError) {
        uri = try settings.secret(
            "DBHOST", meaning: "the connection string of MongoDB", example: "mongodb://localhost:27017")
        name = try settings.text(
            "DBNAME", meaning: "the name of the database that this service owns", example: "video-metadata")
    }
}
