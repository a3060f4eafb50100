import NIOSSL

/// What the gateway shows to clients that come over TLS.
struct ServerIdentity: Sendable {
    /// TLS 1.2 and later, with this certificate.
    let tls: TLSConfiguration

    /// Reads a certificate, the certificates that it stands on after it, and its key, as PEM.
    ///
    /// - Throws: What is wrong with the files.
    init(certificateFile: String, keyFile: String) throws {
        let chain = try NIOSSLCertificate.fromPEMFile(certificateFile)
        guard !chain.isEmpty else { throw NoCertificate(file: certificateFile) }
        let key = try NIOSSLPrivateKey(file: keyFile, format: .pem)
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        tls.minimumTLSVersion = .tlsv12
        // Shows at the start, not at the first connection, whether the two belong together.
        _ = try NIOSSLContext(configuration: tls)
        self.tls = tls
    }

    /// The file has none.
    struct NoCertificate: Error, CustomStringConvertible {
        let file: String

        var description: String { "\(file) has no certificate" }
    }
}
