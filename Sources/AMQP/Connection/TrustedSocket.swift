internal import CRabbitMQ
import Glibc

/// A socket of librabbitmq that speaks TLS (1.2 at least) with a broker that has proved who it is, and with no other.
///
/// OpenSSL itself compares the certificate with the host of the address, inside the handshake: librabbitmq 0.11 does so
/// only afterwards, and knows names but no IP addresses.
struct TrustedSocket {
    private let socket: OpaquePointer
    private let address: BrokerAddress
    private let host: BrokerHost

    /// - Parameters:
    ///   - socket: One of `amqp_ssl_socket_new`, which has not been opened.
    ///   - address: Whom to trust.
    ///   - host: Where to connect to, and what the certificate has to name.
    /// - Throws: `invalidConfiguration` when the certificates to trust cannot be used.
    init(_ socket: OpaquePointer, _ address: BrokerAddress, _ host: BrokerHost) throws(AMQPError) {
        self.socket = socket
        self.address = address
        self.host = host
        amqp_ssl_socket_set_verify_peer(socket, 1)
        amqp_ssl_socket_set_verify_hostname(socket, 0)
        guard amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST) == AMQP_STATUS_OK.rawValue else {
            throw AMQPError(.invalidConfiguration, "TLS 1.2 is not available here.")
        }
        try trust(address.certificateAuthorityFile)
        guard let context = amqp_ssl_socket_get_context(socket), expect(host.name, OpaquePointer(context)) else {
            throw AMQPError(.invalidConfiguration, "No certificate can name the host \(host.name).")
        }
    }

    /// Connects, and finds out who answers.
    ///
    /// - Returns: The session, through which can be written.
    /// - Throws: `unreachable` or `untrusted`.
    func open(within limit: timeval) throws(AMQPError) -> OpaquePointer {
        var handshake = millrace_handshake(fault: X509_V_OK, session: nil)
        var limit = limit
        let status = withUnsafeMutablePointer(to: &handshake) { place in
            millrace_watch_handshake(socket, place)
            defer { millrace_watch_handshake(socket, nil) }
            return amqp_socket_open_noblock(socket, host.name, Int32(host.port), &limit)
        }
        if status == AMQP_STATUS_OK.rawValue, let session = handshake.session {
            millrace_write_in_parts(session)
            return session
        }
        switch handshake.fault {
        case X509_V_OK:
            throw AMQPError(.unreachable, unreachability(status))
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            throw AMQPError(
                .untrusted,
                """
                The certificate of the broker at \(place) does not name \(host.name). Connect by a name that it \
                names, or give the broker a certificate with this one.
                """)
        default:
            let reason = String(cString: X509_verify_cert_error_string(Int(handshake.fault)))
            throw AMQPError(
                .untrusted,
                """
                The certificate of the broker at \(place) is not trusted: \(reason). RABBIT_CA_FILE \
                (\(address.certificateAuthorityFile ?? "")) has to hold the certificate of who signed it.
                """)
        }
    }

    private var place: String { address.description(at: host) }

    private func unreachability(_ status: Int32) -> String {
        let reason = RawConnection.text(ofStatus: status)
        guard status == AMQP_STATUS_SSL_CONNECTION_FAILED.rawValue else {
            return "No broker answers at \(place): \(reason)."
        }
        return "No TLS with \(place): \(reason). Where the port does not expect TLS, the address begins with amqp://."
    }

    private func trust(_ file: String?) throws(AMQPError) {
        guard let file else {
            throw AMQPError(
                .invalidConfiguration, "amqps:// needs a file of certificates to trust: set RABBIT_CA_FILE.")
        }
        guard access(file, R_OK) == 0 else {
            let reason = String(cString: strerror(errno))
            throw AMQPError(.invalidConfiguration, "RABBIT_CA_FILE names \(file), which cannot be read: \(reason).")
        }
        guard amqp_ssl_socket_set_cacert(socket, file) == AMQP_STATUS_OK.rawValue else {
            throw AMQPError(
                .invalidConfiguration, "RABBIT_CA_FILE names \(file), which holds no certificates in PEM.")
        }
    }

    /// Says which host the certificate has to name: an IP address or else a name (RFC 6125).
    private func expect(_ host: String, _ context: OpaquePointer) -> Bool {
        let rules = SSL_CTX_get0_param(context)
        X509_VERIFY_PARAM_set_hostflags(rules, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        return X509_VERIFY_PARAM_set1_ip_asc(rules, host) == 1 || X509_VERIFY_PARAM_set1_host(rules, host, 0) == 1
    }
}

extension BrokerAddress {
    /// Makes sure that what TLS needs is there, so that a service with a wrong setting does not start.
    ///
    /// - Returns: The same address.
    /// - Throws: `invalidConfiguration` that names RABBIT_CA_FILE. A file that vanishes later is told in the log.
    public func checked() throws(AMQPError) -> BrokerAddress {
        guard usesTLS else { return self }
        guard let connection = amqp_new_connection() else { return self }
        defer { amqp_destroy_connection(connection) }
        for host in hosts {
            if let socket = amqp_ssl_socket_new(connection) { _ = try TrustedSocket(socket, self, host) }
        }
        return self
    }
}
