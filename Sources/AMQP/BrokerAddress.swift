internal import CRabbitMQ

/// One node of a broker.
public struct BrokerHost: Sendable, Hashable, CustomStringConvertible {
    /// The host's name or IP address; an IPv6 address without its brackets. With TLS, what the certificate has to name.
    public let name: String
    /// The TCP port.
    public let port: Int

    /// As it stands in an address.
    public var description: String { name.contains(":") ? "[\(name)]:\(port)" : "\(name):\(port)" }
}

/// Where a broker is and who asks: `amqp://user:password@host:5672/vhost`, or `amqps://` with TLS. A cluster has several
/// hosts: `amqp://user:password@host1:5672,host2,[::1]:5673/vhost`.
public struct BrokerAddress: Sendable, Hashable, CustomStringConvertible {
    /// The nodes, any of which will do; never empty. A port that the address leaves out is 5672, or 5671 with TLS.
    public let hosts: [BrokerHost]
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

    /// Reads an address. User, password and virtual host may be percent-encoded. Hosts are separated by commas, and each
    /// may have a port of its own; user, password and virtual host are the same for all.
    ///
    /// - Throws: `invalidConfiguration` that says what an address looks like, without repeating the password.
    public init(_ text: String, certificateAuthorityFile: String? = nil) throws(AMQPError) {
        guard !text.utf8.contains(0) else { throw .unreadable("holds a NUL") }
        var all: [BrokerParts] = []
        for single in try Self.split(text) {
            guard let parts = BrokerParts(single) else { throw .unreadable("cannot be read") }
            all.append(parts)
        }
        guard let first = all.first else { throw .unreadable("names no host") }
        hosts = all.map(\.host)
        user = first.user
        password = first.password
        virtualHost = first.virtualHost.isEmpty ? "/" : first.virtualHost
        usesTLS = first.usesTLS
        self.certificateAuthorityFile = certificateAuthorityFile
    }

    /// The address without the password.
    public var description: String { text(hosts) }

    /// The address of one node, without the password.
    func description(at host: BrokerHost) -> String { text([host]) }

    private func text(_ hosts: [BrokerHost]) -> String {
        let list = hosts.map(\.description).joined(separator: ",")
        return "\(usesTLS ? "amqps" : "amqp")://\(user)@\(list)/\(virtualHost == "/" ? "" : virtualHost)"
    }

    /// Makes of an address with several hosts one address for each, since librabbitmq's reader knows only one.
    private static func split(_ text: String) throws(AMQPError) -> [String] {
        guard let scheme = text.firstRange(of: "://") else { throw .unreadable("cannot be read") }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" }
        let user = authority.firstIndex(of: "@").map { authority[...$0] } ?? ""
        return try authority.dropFirst(user.count).split(separator: ",", omittingEmptySubsequences: false).map {
            (host) throws(AMQPError) -> String in
            guard let start = host.first, start != ":" else { throw .unreadable("leaves out a host") }
            return String(text[..<scheme.upperBound] + user + host + rest[authority.endIndex...])
        }
    }
}

extension AMQPError {
    fileprivate static func unreadable(_ fault: String) -> AMQPError {
        AMQPError(
            .invalidConfiguration,
            """
            The broker's address \(fault); an address looks like amqp://user:password@host:5672/vhost (or amqps://), \
            for a cluster amqp://user:password@host1:5672,host2:5672/vhost.
            """)
    }
}

/// What librabbitmq reads out of an address with one host.
private struct BrokerParts {
    let host: BrokerHost
    let user: String
    let password: String
    let virtualHost: String
    let usesTLS: Bool

    init?(_ text: String) {
        var info = amqp_connection_info()
        var copy = text.utf8CString
        let parts: BrokerParts? = copy.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, amqp_parse_url(base, &info) == AMQP_STATUS_OK.rawValue else {
                return nil
            }
            // The pointers of `info` lead into the buffer, so they are read while it lives.
            return BrokerParts(info)
        }
        guard let parts, !parts.host.name.isEmpty else { return nil }
        self = parts
    }

    private init(_ info: amqp_connection_info) {
        host = BrokerHost(name: String(cString: info.host), port: Int(info.port))
        user = String(cString: info.user)
        password = String(cString: info.password)
        virtualHost = String(cString: info.vhost)
        usesTLS = info.ssl != 0
    }
}
