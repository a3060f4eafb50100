import Domain

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Looks for what this service has written into a provider and nothing names any more.
///
/// With blobs that does not happen by itself: each is named by an upload before it is written, and by an entry after. It is
/// for what a database that was put back to an older state has forgotten. Only blobs below `uploads/` and `moved/` are looked
/// at; what somebody has put there by hand belongs to them.
///
/// An upload that was begun is left when a worker dies before it has noted it. It holds nothing, since blocks are taken only
/// after that, and nobody can commit it; so these are given up without being asked for.
struct OrphanSearcher: Sendable {
    /// How many blobs one page looks at.
    private static let pageCount = 500
    private static let uploadsMark = "uploads:"
    private static let blobsMark = "blobs:"

    private let register: any UploadRegister
    private let catalogue: any Catalogue
    private let providers: ProviderSet
    private let rules: CollectionRules

    /// Puts a searcher together.
    init(register: any UploadRegister, catalogue: any Catalogue, providers: ProviderSet, rules: CollectionRules) {
        self.register = register
        self.catalogue = catalogue
        self.providers = providers
        self.rules = rules
    }

    /// See ``Domain/StorageAdministration/orphans(_:deadline:)``. First the blobs, then the uploads that were begun.
    func search(_ search: OrphanSearch, now: Date, deadline: Deadline) async throws(ServiceError) -> OrphanPage {
        guard let provider = providers.provider(named: ProviderName(search.provider)) else {
            throw ServiceError(.invalidArgument, "There is no provider \"\(search.provider)\"; set its variables.")
        }
        let cursor = search.cursor ?? Self.blobsMark
        if cursor.hasPrefix(Self.blobsMark) {
            return try await blobs(
                in: provider, after: Self.cursor(cursor, Self.blobsMark), search.deletes, now, deadline: deadline)
        }
        guard cursor.hasPrefix(Self.uploadsMark) else {
            throw ServiceError(.invalidArgument, "The cursor is none that a page gave.")
        }
        return try await uploads(
            in: provider, after: Self.cursor(cursor, Self.uploadsMark), search.deletes, now, deadline: deadline)
    }

    private static func cursor(_ text: String, _ mark: String) -> PageCursor? {
        let rest = String(text.dropFirst(mark.count))
        return rest.isEmpty ? nil : PageCursor(rest)
    }

    /// Gives up the uploads that nothing names, of one provider.
    ///
    /// - Returns: How many there were.
    func giveUpUploads(
        in provider: any StorageProvider, now: Date, deadline: Deadline
    ) async throws(ServiceError) -> Int {
        var count = 0
        var cursor: PageCursor?
        repeat {
            let page = try await uploads(in: provider, after: cursor, true, now, deadline: deadline)
            count += page.orphans.count
            cursor = page.next.flatMap { Self.cursor($0, Self.uploadsMark) }
        } while cursor != nil
        return count
    }

    private func blobs(
        in provider: any StorageProvider, after cursor: PageCursor?, _ deletes: Bool, _ now: Date, deadline: Deadline
    ) async throws(ServiceError) -> OrphanPage {
        let page = try await provider.list(after: cursor, limit: Self.pageCount, deadline: deadline)
        // What is young may be named in a moment.
        let own = page.entries.filter {
            Upload.isOwn($0.location) && $0.facts.modifiedAt < rules.abandonedBefore(now)
        }
        let named = try await named(own.map(\.location), in: provider.name, deadline: deadline)
        var orphans: [OrphanPage.Orphan] = []
        for blob in own where !named.contains(blob.location) {
            if deletes { try await provider.delete(blob.location, deadline: deadline) }
            orphans.append(.init(location: blob.location, size: blob.facts.size))
        }
        let next = page.next.map { "\(Self.blobsMark)\($0)" } ?? Self.uploadsMark
        return OrphanPage(orphans: orphans, next: next)
    }

    private func uploads(
        in provider: any StorageProvider, after cursor: PageCursor?, _ deletes: Bool, _ now: Date, deadline: Deadline
    ) async throws(ServiceError) -> OrphanPage {
        let page = try await provider.uploads(after: cursor, limit: Self.pageCount, deadline: deadline)
        // A table of checksums is put there within one commit; what is old was left by a worker that died in it.
        let own = page.entries.filter {
            (Upload.isOwn($0.location) || CheckedProvider.isTable($0.location))
                && $0.activeAt < rules.abandonedBefore(now)
        }
        let named = try await register.named(own.map(\.location), in: provider.name, deadline: deadline)
        var orphans: [OrphanPage.Orphan] = []
        for upload in own where !named.contains(upload.location) {
            if deletes { try await provider.abort(upload.handle, at: upload.location, deadline: deadline) }
            orphans.append(.init(location: upload.location, size: nil))
        }
        return OrphanPage(orphans: orphans, next: page.next.map { "\(Self.uploadsMark)\($0)" })
    }

    private func named(
        _ locations: [StorageKey], in provider: ProviderName, deadline: Deadline
    ) async throws(ServiceError) -> Set<StorageKey> {
        // The uploads first: a commit that happens in between leaves its upload and is found in the catalogue then.
        let uploads = try await register.named(locations, in: provider, deadline: deadline)
        let objects = try await catalogue.named(locations, in: provider, includingRetired: true, deadline: deadline)
        return uploads.union(objects)
    }
}
