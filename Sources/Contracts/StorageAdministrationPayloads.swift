internal import Domain

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// `storage.objects.v1`, request.
struct ObjectsRequest: Codable {
    let after: String?
    let limit: Int
}

/// `storage.objects.v1`, reply.
struct ObjectsReply: Codable {
    let objects: [StoredObjectPayload]
    let next: String?

    init(_ page: StoredObjectPage) {
        objects = page.objects.map(StoredObjectPayload.init)
        next = page.next?.description
    }

    func page() throws(ServiceError) -> StoredObjectPage {
        var page = StoredObjectPage(objects: [], next: nil)
        for object in objects { page.objects.append(try object.object()) }
        if let next { page.next = try StorageKey(next) }
        return page
    }
}

/// One object of a page.
struct StoredObjectPayload: Codable {
    let key: String
    let version: String
    let size: Int64
    let provider: String
    let location: String
    let contentType: String?
    let checksum: String?
    let committedAtMilliseconds: Int64

    init(_ object: StoredObject) {
        key = object.key.description
        version = object.version.description
        size = object.size
        provider = object.provider
        location = object.location.description
        contentType = object.contentType
        checksum = object.checksum
        committedAtMilliseconds = object.committedAt.milliseconds
    }

    func object() throws(ServiceError) -> StoredObject {
        guard let version = ObjectVersion(version) else {
            throw ServiceError(.internal, "The storage service gave a version that is none.")
        }
        return StoredObject(
            key: try StorageKey(key), version: version, size: size, provider: provider,
            location: try StorageKey(location), contentType: contentType, checksum: checksum,
            committedAt: Date(milliseconds: committedAtMilliseconds))
    }
}

/// `storage.providers.v1`, request.
struct ProvidersRequest: Codable {}

/// `storage.providers.v1`, reply.
struct ProvidersReply: Codable {
    struct Provider: Codable {
        let name: String
        let isPrimary: Bool
        let problem: String?
    }

    let providers: [Provider]

    init(_ statuses: [ProviderStatus]) {
        providers = statuses.map { Provider(name: $0.name, isPrimary: $0.isPrimary, problem: $0.problem) }
    }

    var statuses: [ProviderStatus] {
        providers.map { ProviderStatus(name: $0.name, isPrimary: $0.isPrimary, problem: $0.problem) }
    }
}

/// `storage.adopt.v1`, request.
struct AdoptRequest: Codable {
    let provider: String
    let after: String?
}

/// `storage.adopt.v1`, reply.
struct AdoptReply: Codable {
    let adopted: [String]
    let next: String?

    init(_ page: AdoptionPage) {
        adopted = page.adopted.map(\.description)
        next = page.next
    }

    func page() throws(ServiceError) -> AdoptionPage {
        var page = AdoptionPage(adopted: [], next: next)
        for key in adopted { page.adopted.append(try StorageKey(key)) }
        return page
    }
}

/// `storage.move.v1`, request.
struct MoveRequest: Codable {
    let key: String
    let source: String?
    let target: String
    let bytesPerSecond: Int64?
    let isContinued: Bool?

    init(_ move: ObjectMove) {
        key = move.key.description
        source = move.source
        target = move.target
        bytesPerSecond = move.bytesPerSecond
        isContinued = move.isContinued ? true : nil
    }

    func move() throws(ServiceError) -> ObjectMove {
        try Rate.check(bytesPerSecond)
        return ObjectMove(
            key: try StorageKey(key), source: source, target: target, bytesPerSecond: bytesPerSecond,
            isContinued: isContinued ?? false)
    }
}

/// `storage.move.v1`, reply.
struct MoveReply: Codable {
    let outcome: String

    init(_ outcome: MoveOutcome) {
        self.outcome = outcome.rawValue
    }

    func checked() throws(ServiceError) -> MoveOutcome {
        guard let outcome = MoveOutcome(rawValue: outcome) else {
            throw ServiceError(.internal, "The storage service gave an outcome of a move that is none.")
        }
        return outcome
    }
}

/// `storage.moves.v1`, request.
struct MovesRequest: Codable {}

/// `storage.moves.v1`, reply.
struct MovesReply: Codable {
    struct Move: Codable {
        let key: String
        let bytes: Int64
    }

    let moves: [Move]

    init(_ moves: [MoveProgress]) {
        self.moves = moves.map { Move(key: $0.key.description, bytes: $0.bytes) }
    }

    func progress() throws(ServiceError) -> [MoveProgress] {
        var found: [MoveProgress] = []
        for move in moves { found.append(MoveProgress(key: try StorageKey(move.key), bytes: move.bytes)) }
        return found
    }
}

/// `storage.verify.v1`, request.
struct VerifyRequest: Codable {
    let key: String
    let bytesPerSecond: Int64?

    func checkedKey() throws(ServiceError) -> StorageKey {
        try Rate.check(bytesPerSecond)
        return try StorageKey(key)
    }
}

/// `storage.verify.v1`, reply.
struct VerifyReply: Codable {
    let size: Int64
    let condition: String
    let detail: String?

    init(_ object: VerifiedObject) {
        size = object.size
        condition = object.condition.rawValue
        detail = object.detail
    }

    func object(of key: StorageKey) throws(ServiceError) -> VerifiedObject {
        guard let condition = VerifiedObject.Condition(rawValue: condition) else {
            throw ServiceError(.internal, "The storage service found a condition of \(key) that is none.")
        }
        return VerifiedObject(key: key, size: size, condition: condition, detail: detail)
    }
}

/// `storage.collect.v1`, request.
struct CollectRequest: Codable {}

/// `storage.collect.v1`, reply.
struct CollectReply: Codable {
    let abandonedUploads: Int
    let deletedBlobs: Int
    let failures: Int

    init(_ counts: CollectedCounts) {
        abandonedUploads = counts.abandonedUploads
        deletedBlobs = counts.deletedBlobs
        failures = counts.failures
    }

    var counts: CollectedCounts {
        var counts = CollectedCounts()
        counts.abandonedUploads = abandonedUploads
        counts.deletedBlobs = deletedBlobs
        counts.failures = failures
        return counts
    }
}

/// `storage.orphans.v1`, request.
struct OrphansRequest: Codable {
    let provider: String
    let after: String?
    let deletes: Bool

    init(_ search: OrphanSearch) {
        provider = search.provider
        after = search.cursor
        deletes = search.deletes
    }

    var search: OrphanSearch { OrphanSearch(provider: provider, cursor: after, deletes: deletes) }
}

/// `storage.orphans.v1`, reply.
struct OrphansReply: Codable {
    struct Orphan: Codable {
        let location: String
        let size: Int64?
    }

    let orphans: [Orphan]
    let next: String?

    init(_ page: OrphanPage) {
        orphans = page.orphans.map { Orphan(location: $0.location.description, size: $0.size) }
        next = page.next
    }

    func page() throws(ServiceError) -> OrphanPage {
        var page = OrphanPage(orphans: [], next: next)
        for orphan in orphans {
            page.orphans.append(.init(location: try StorageKey(orphan.location), size: orphan.size))
        }
        return page
    }
}

/// Checks the rate of a request.
private enum Rate {
    static func check(_ bytesPerSecond: Int64?) throws(ServiceError) {
        guard let bytesPerSecond, bytesPerSecond < 1 else { return }
        throw ServiceError(.invalidArgument, "The member bytesPerSecond is not a positive number.")
    }
}
