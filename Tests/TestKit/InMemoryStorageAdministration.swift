public import Domain
import Synchronization

/// An administration of storage that only knows what it is told, and moves objects by changing their facts.
public final class InMemoryStorageAdministration: StorageAdministration {
    /// What it knows, what it has been asked, and what goes wrong.
    public struct State: Sendable {
        /// The objects, in the byte order of their keys.
        public var objects: [StoredObject] = []
        /// The providers.
        public var providers: [ProviderStatus] = []
        /// Objects that nobody has asked for yet, by provider.
        public var unknown: [String: [StoredObject]] = [:]
        /// How objects are when they are verified; the others are intact.
        public var conditions: [StorageKey: VerifiedObject.Condition] = [:]
        /// What is found in a provider and named by nothing.
        public var orphans: [OrphanPage.Orphan] = []
        /// The errors of the next moves of an object, in their order.
        public var failures: [StorageKey: [ServiceError]] = [:]
        /// The moves that were asked for.
        public var moves: [ObjectMove] = []
        /// The searches that were asked for.
        public var searches: [OrphanSearch] = []
        /// How many moves are under way, and the most that were.
        public var running = 0
        /// The most moves that were under way at once.
        public var maxRunning = 0
        /// How many objects a page has at the most.
        public var pageCount = 3
        /// How often the answer about an object is that its move, or its verification, is under way.
        public var underWay: [StorageKey: Int] = [:]

        fileprivate mutating func isStillUnderWay(_ key: StorageKey) -> Bool {
            guard let count = underWay[key], count > 0 else { return false }
            underWay[key] = count - 1
            return true
        }
    }

    private let state = Mutex(State())

    /// Begins with nothing.
    public init() {}

    /// What it knows now.
    public var now: State { state.withLock { $0 } }

    /// Changes what it knows.
    public func change(_ body: @Sendable (inout State) -> Void) {
        state.withLock { body(&$0) }
    }

    /// See ``Domain/StorageAdministration``.
    public func objects(
        after key: StorageKey?, limit: Int, deadline: Deadline
    ) async throws(ServiceError) -> StoredObjectPage {
        state.withLock { state in
            let rest = state.objects.filter { object in
                key.map { $0.description.utf8.lexicographicallyPrecedes(object.key.description.utf8) } ?? true
            }
            let page = Array(rest.prefix(min(limit, state.pageCount)))
            return StoredObjectPage(objects: page, next: page.count < rest.count ? page.last?.key : nil)
        }
    }

    /// See ``Domain/StorageAdministration``.
    public func providers(deadline: Deadline) async throws(ServiceError) -> [ProviderStatus] {
        state.withLock { $0.providers }
    }

    /// See ``Domain/StorageAdministration``.
    public func adopt(
        in provider: String, after cursor: String?, deadline: Deadline
    ) async throws(ServiceError) -> AdoptionPage {
        state.withLock { state in
            guard var unknown = state.unknown[provider], !unknown.isEmpty else {
                return AdoptionPage(adopted: [], next: nil)
            }
            let object = unknown.removeFirst()
            state.unknown[provider] = unknown
            state.objects.append(object)
            state.objects.sort { $0.key.description.utf8.lexicographicallyPrecedes($1.key.description.utf8) }
            return AdoptionPage(adopted: [object.key], next: unknown.isEmpty ? nil : "more")
        }
    }

    /// See ``Domain/StorageAdministration``.
    public func move(_ move: ObjectMove, deadline: Deadline) async throws(ServiceError) -> MoveOutcome {
        state.withLock { state in
            state.moves.append(move)
            state.running += 1
            state.maxRunning = max(state.maxRunning, state.running)
        }
        await Task.yield()
        let result: Result<MoveOutcome, ServiceError> = state.withLock { state in
            state.running -= 1
            if var failures = state.failures[move.key], !failures.isEmpty {
                let failure = failures.removeFirst()
                state.failures[move.key] = failures
                return .failure(failure)
            }
            guard let index = state.objects.firstIndex(where: { $0.key == move.key }) else {
                return .failure(ServiceError(.notFound, "no such object"))
            }
            if state.isStillUnderWay(move.key) { return .success(.underWay) }
            state.objects[index].provider = move.target
            return .success(.moved)
        }
        return try result.get()
    }

    /// See ``Domain/StorageAdministration``.
    public func movesUnderWay(deadline: Deadline) async throws(ServiceError) -> [MoveProgress] {
        state.withLock { $0.objects.prefix(2).map { MoveProgress(key: $0.key, bytes: $0.size / 2) } }
    }

    /// See ``Domain/StorageAdministration``.
    public func verify(
        _ key: StorageKey, bytesPerSecond: Int64?, deadline: Deadline
    ) async throws(ServiceError) -> VerifiedObject {
        let found = state.withLock { state in
            state.objects.first { $0.key == key }.map { object in
                let isUnderWay = state.isStillUnderWay(key)
                let condition = isUnderWay ? .underWay : state.conditions[key] ?? .intact
                return VerifiedObject(
                    key: key, size: object.size, condition: condition, detail: condition == .intact ? nil : "a detail")
            }
        }
        guard let found else { throw ServiceError(.notFound, "no such object") }
        return found
    }

    /// See ``Domain/StorageAdministration``.
    public func collect(deadline: Deadline) async throws(ServiceError) -> CollectedCounts {
        var counts = CollectedCounts()
        counts.abandonedUploads = 1
        counts.deletedBlobs = 2
        counts.failures = 3
        return counts
    }

    /// See ``Domain/StorageAdministration``.
    public func orphans(_ search: OrphanSearch, deadline: Deadline) async throws(ServiceError) -> OrphanPage {
        state.withLock { state in
            state.searches.append(search)
            return OrphanPage(orphans: state.orphans, next: search.cursor == nil ? "more" : nil)
        }
    }
}
