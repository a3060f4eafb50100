import Domain

/// The parameters of a request's query.
struct QueryParameters: Sendable {
    private let pairs: [(name: String, value: String)]

    /// Reads `name=value` pairs between `&`; a pair without `=` has an empty value, and an empty pair is none.
    init(_ query: String?) {
        pairs = (query ?? "").utf8.split(separator: UInt8(ascii: "&")).map { pair in
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            return (Self.text(parts.first), Self.text(parts.dropFirst().first))
        }
    }

    /// The value of a parameter; `nil` when it is missing or empty.
    ///
    /// - Throws: `invalidArgument` when it is there more than once: to guess which one is meant would hide a mistake.
    func value(_ name: String) throws(ServiceError) -> String? {
        let values = pairs.filter { $0.name == name }
        guard values.count <= 1 else {
            throw ServiceError(.invalidArgument, "The parameter \"\(name)\" is given more than once; give it once.")
        }
        return values.first.flatMap { $0.value.isEmpty ? nil : $0.value }
    }

    private static func text(_ bytes: Substring.UTF8View?) -> String {
        bytes.map { PercentEncoding.decode(Substring($0)) } ?? ""
    }
}
