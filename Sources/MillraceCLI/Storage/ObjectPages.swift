import Domain

/// All objects, a page at a time, so that memory does not grow with their number.
struct ObjectPages {
    private let administration: any StorageAdministration
    private let timeout: Duration

    /// Takes the service, and how long one page may take.
    init(_ administration: any StorageAdministration, timeout: Duration) {
        self.administration = administration
        self.timeout = timeout
    }

    /// Does something with each object, in the byte order of their keys.
    func visit(_ body: (StoredObject) async throws -> Void) async throws {
        var cursor: StorageKey?
        repeat {
            let after = cursor
            let page = try await Patience.standard.run { () throws(ServiceError) in
                try await administration.objects(
                    after: after, limit: StorageAdministrationLimits.maxPageSize, deadline: .after(timeout))
            }
            for object in page.objects { try await body(object) }
            cursor = page.next
        } while cursor != nil
    }
}
