import Domain

/// Reads objects back and compares them with their checksums.
struct ObjectVerifier: Sendable {
    /// How long one call to catalogue or provider may take, in seconds.
    private static let callSeconds = 60

    private let catalogue: any Catalogue
    private let providers: ProviderSet

    /// Puts a verifier together.
    init(catalogue: any Catalogue, providers: ProviderSet) {
        self.catalogue = catalogue
        self.providers = providers
    }

    /// See ``Domain/StorageAdministration/verify(_:bytesPerSecond:deadline:)``. It takes as long as the bytes take.
    func verify(_ key: StorageKey, bytesPerSecond: Int64?) async throws(ServiceError) -> VerifiedObject {
        var entry = try await find(key)
        while true {
            let finding = try await verify(entry, bytesPerSecond: bytesPerSecond)
            guard finding.condition != .intact, finding.condition != .unchecked else { return finding }
            // It may have been replaced or moved while it was read.
            let present = try await find(key)
            guard !present.isSame(as: entry), !Task.isCancelled else { return finding }
            entry = present
        }
    }

    private func find(_ key: StorageKey) async throws(ServiceError) -> CatalogueEntry {
        let deadline = Deadline.after(.seconds(Self.callSeconds))
        guard let entry = try await catalogue.entry(for: key, deadline: deadline), entry.state == .committed else {
            throw ServiceError(.notFound, "There is no object \"\(key)\" in the storage.")
        }
        return entry
    }

    private func verify(
        _ entry: CatalogueEntry, bytesPerSecond: Int64?
    ) async throws(ServiceError) -> VerifiedObject {
        func finding(_ condition: VerifiedObject.Condition, _ detail: String? = nil) -> VerifiedObject {
            VerifiedObject(key: entry.key, size: entry.size, condition: condition, detail: detail)
        }
        do {
            let provider = try providers.provider(of: entry)
            let facts = try await provider.stat(
                entry.location, deadline: .after(.seconds(Self.callSeconds)))
            guard facts.size == entry.size else {
                return finding(.damaged, "\(facts.size) bytes in \(entry.provider)")
            }
            var reader = BlobReader(
                provider, entry.location, validator: facts.validator, size: facts.size,
                bytesPerSecond: bytesPerSecond)
            let checksum = try await reader.finish()
            guard let expected = entry.checksum else { return finding(.unchecked) }
            return checksum == expected
                ? finding(.intact) : finding(.damaged, "\(checksum) in \(entry.provider), \(expected) in the catalogue")
        } catch {
            switch error.code {
            case .notFound: return finding(.missing, "nothing at \"\(entry.location)\" in \(entry.provider)")
            case .corrupt: return finding(.damaged, error.message)
            case .deadlineExceeded, .overloaded: throw error
            default: return finding(.unreadable, error.message)
            }
        }
    }
}
