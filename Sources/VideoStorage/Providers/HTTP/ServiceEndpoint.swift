import Domain

/// Where a storage service is: `https://host`, `http://127.0.0.1:9000/account`.
struct ServiceEndpoint: Sendable, Equatable {
    /// `http` or `https`.
    let scheme: String
    /// The host as the `Host` field has it, with the port unless it is the scheme's own.
    let host: String
    /// What stands before every path: empty, or `/` and a text without a `/` at its end.
    let basePath: String

    /// Reads an address.
    ///
    /// - Throws: `invalidArgument` that says how it should be.
    init(_ text: String) throws(ServiceError) {
        let shape = ServiceError(
            .invalidArgument,
            "it has to be http:// or https:// with a host, perhaps a port, and perhaps a path: https://host:port/path.")
        guard let separator = text.firstRange(of: "://") else { throw shape }
        scheme = text[..<separator.lowerBound].lowercased()
        guard scheme == "http" || scheme == "https" else { throw shape }
        let rest = text[separator.upperBound...]
        let isPlain = rest.utf8.allSatisfy { byte in
            (0x21...0x7E).contains(byte) && !"?#@\\%\"<>".utf8.contains(byte)
        }
        guard isPlain else { throw shape }
        let authority = rest.prefix { $0 != "/" }
        let port = authority.split(separator: ":", omittingEmptySubsequences: false)
        guard !authority.isEmpty, let name = port.first, !name.isEmpty, port.count <= 2 else { throw shape }
        if port.count == 2 {
            guard let number = UInt16(port[1]), number > 0 else { throw shape }
            let isUsual = (scheme == "http" && number == 80) || (scheme == "https" && number == 443)
            host = isUsual ? name.lowercased() : "\(name.lowercased()):\(number)"
        } else {
            host = name.lowercased()
        }
        var path = rest.dropFirst(authority.count)
        while path.hasSuffix("/") { path = path.dropLast() }
        basePath = String(path)
    }

    private init(scheme: String, host: String, basePath: String) {
        self.scheme = scheme
        self.host = host
        self.basePath = basePath
    }

    /// The same service under a name in front of the host's.
    func withSubdomain(_ name: String) -> ServiceEndpoint {
        ServiceEndpoint(scheme: scheme, host: "\(name).\(host)", basePath: basePath)
    }

    /// The whole address of a path that is percent-encoded, and a query.
    func address(_ path: String, query: String) -> String {
        "\(scheme)://\(host)\(path)\(query.isEmpty ? "" : "?\(query)")"
    }
}
