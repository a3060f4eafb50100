internal import CRabbitMQ

/// Where a broker is and who asks: `amqp://user:password@host:5672/vhost`, or `amqps://` with TLS.
public struct BrokerAddress: Sendable, Hashable, CustomStringConvertible {
    /// The host's name or address.
    public let host: String
    /// The TCP port; 5672, or 5671 with TLS, when the address names none.
    public let port: Int
    /// The user; `guest` when the address names none.
    public let user: String
    /// The password. Never printed.
    public let password: String
    /// The virtual host; `/` when the address names none.
    public let virtualHost: String
    /// Whether TLS is used.
    public let usesTLS: Bool
    /// A file of the certificates to trust, PEM. Needed with TLS: librabbitmq 0.11 does not know the system's.
    public var certificateAuthorityFile: String?

    /// Reads an address. User, password and virtual host may be percent-encoded.
    ///
    /// - Throws: `invalidConfiguration` that says what an address looks like, without repeating the password.
    public init(_ text: String, certificateAuthorityFile: String? = nil) throws(AMQPError) {
        let example = "an address looks like amqp://user:password@host:5672/vhost (or amqps://)"
        guard !text.utf8.contains(0) else {
            throw AMQPError(.invalidConfiguration, "The broker's address holds a NUL; \(example).")
        }
        var info = amqp_connection_info()
        var copy = text.utf8CString
        let parsed: BrokerParts? = copy.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, amqp_parse_url(base, &info) == AMQP_STATUS_OK.rawValue else {
                return nil
            }
            // The pointers of `info` lead into the buffer, so they are read while it lives.
            return BrokerParts(
                host: String(cString: info.host),
                user: String(cString: info.user),
                password: String(cString: info.password),
                virtualHost: String(cString: info.vhost))
        }
        guard let parsed, !parsed.host.isEmpty else {
            throw AMQPError(.invalidConfiguration, "The broker's address cannot be read; \(example).")
        }
        host = parsed.host
        port = Int(info.port)
        user = parsed.user
        password = parsed.password
        virtualHost = parsed.virtualHost.isEmpty ? "/" : parsed.virtualHost
        usesTLS = info.ssl != 0
        self.certificateAuthorityFile = certificateAuthorityFile
    }

    /// The address without the password.
    public var description: String {
        "\(usesTLS ? "amqps" : "amqp")://\(user)@\(host):\(port)/\(virtualHost == "/" ? "" : virtualHost)"
    }
}

private struct BrokerParts {
    let host: String
    let user: String
    let password: String
    let virtualHost: String
}
