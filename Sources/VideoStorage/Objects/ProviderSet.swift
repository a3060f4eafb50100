import Domain

/// The providers of this worker: the primary one, where new objects are looked for, and those that still hold older ones.
struct ProviderSet: Sendable {
    private let primary: any StorageProvider
    private let byName: [ProviderName: any StorageProvider]

    /// Puts providers side by side. Of two with one name the primary, else the first, is used.
    init(primary: any StorageProvider, others: [any StorageProvider] = []) {
        self.primary = primary
        byName = Dictionary(([primary] + others).map { ($0.name, $0) }) { first, _ in first }
    }

    /// The provider that holds an object: the one its entry names; for an object without an entry the primary one.
    func provider(of entry: CatalogueEntry?) throws(ServiceError) -> any StorageProvider {
        guard let entry else { return primary }
        guard let provider = byName[entry.provider] else {
            throw ServiceError(
                .internal,
                "\"\(entry.key)\" lies in the provider \"\(entry.provider)\", which is not configured for this worker.")
        }
        return provider
    }
}
