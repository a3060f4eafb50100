import Domain

/// The providers of this worker: the primary one, which takes new objects, and those that still hold older ones.
struct ProviderSet: Sendable {
    /// Where new objects go.
    let primary: any StorageProvider
    /// All of them, the primary one first.
    let all: [any StorageProvider]
    private let byName: [ProviderName: any StorageProvider]

    /// Puts providers side by side. Of two with one name the primary, else the first, is used.
    init(primary: any StorageProvider, others: [any StorageProvider] = []) {
        self.primary = primary
        let byName = Dictionary(([primary] + others).map { ($0.name, $0) }) { first, _ in first }
        self.byName = byName
        all = [primary] + others.filter { $0.name != primary.name && byName[$0.name] != nil }
    }

    /// The provider of a name, if this worker has it.
    func provider(named name: ProviderName) -> (any StorageProvider)? { byName[name] }

    /// The provider that the catalogue names for an object.
    ///
    /// - Throws: `unavailable` when this worker does not have it: another one may.
    func provider(named name: ProviderName, of key: StorageKey) throws(ServiceError) -> any StorageProvider {
        guard let provider = byName[name] else {
            let variables = name.variables
            let remedy = variables.isEmpty ? "" : "; set \(variables.joined(separator: ", "))"
            throw ServiceError(
                .unavailable,
                "\"\(key)\" lies in the provider \"\(name)\", which is not configured for this worker\(remedy).")
        }
        return provider
    }

    /// In which pieces a provider's blobs are best read, in bytes.
    func chunkBytes(in name: ProviderName) -> Int {
        byName[name]?.limits.chunkBytes ?? StorageLimits.defaultChunkBytes
    }

    /// The provider that holds the blob of an entry.
    func provider(of entry: CatalogueEntry) throws(ServiceError) -> any StorageProvider {
        try provider(named: entry.provider, of: entry.key)
    }
}
