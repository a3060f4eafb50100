import Domain
import Logging

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Does for an operator what has to be done inside a worker.
struct StorageOperator: StorageAdministration {
    /// How many blobs one page of adoptions looks at.
    private static let adoptionPageCount = 200
    private static let maxMovesTold = 1_000
    /// How long a call waits for an object, in seconds: much longer than most take, and shorter than the broker waits.
    private static let waitSeconds = 20 * 60
    /// What is left of a call's time for its answer to travel, in seconds.
    private static let answerSeconds = 5
    /// How many objects are moved or verified at once. Each holds some blocks in memory.
    private static let maxConcurrentWorks = 2
    /// More than an operator's requests can be: the queue brings as many at once as are worked on.
    private static let maxWaitingWorks = 64
    /// An object whose name is surely no blob: asking for it shows whether a provider answers.
    private static let probe = "millrace-doctor/no-such-object"

    private let storage: ObjectStorage
    private let register: any UploadRegister
    private let catalogue: any Catalogue
    private let providers: ProviderSet
    private let mover: ObjectMover
    private let verifier: ObjectVerifier
    private let collector: Collector
    private let searcher: OrphanSearcher
    private let moves: LongWorks<ObjectMove, MoveOutcome>
    private let verifications: LongWorks<Verification, VerifiedObject>

    private struct Verification: Hashable {
        let key: StorageKey
        let bytesPerSecond: Int64?
    }

    /// Puts an operator's service together from the parts of a worker.
    init(
        storage: ObjectStorage, register: any UploadRegister, catalogue: any Catalogue, providers: ProviderSet,
        collector: Collector, rules: CollectionRules, metrics: StorageMetrics, logger: Logger
    ) {
        self.storage = storage
        self.register = register
        self.catalogue = catalogue
        self.providers = providers
        self.collector = collector
        mover = ObjectMover(
            storage: storage, register: register, catalogue: catalogue, providers: providers, metrics: metrics,
            logger: logger)
        verifier = ObjectVerifier(catalogue: catalogue, providers: providers)
        let turns = CallTurns(maxCalls: Self.maxConcurrentWorks, maxWaiting: Self.maxWaitingWorks)
        moves = LongWorks(turns: turns)
        verifications = LongWorks(turns: turns)
        searcher = OrphanSearcher(register: register, catalogue: catalogue, providers: providers, rules: rules)
    }

    func objects(after key: StorageKey?, limit: Int, deadline: Deadline) async throws(ServiceError) -> StoredObjectPage
    {
        guard (1...StorageAdministrationLimits.maxPageSize).contains(limit) else {
            throw ServiceError(
                .invalidArgument, "A page has 1 to \(StorageAdministrationLimits.maxPageSize) objects, not \(limit).")
        }
        let page = try await catalogue.entries(after: key, limit: limit, deadline: deadline)
        let objects = page.entries.filter { $0.state == .committed }.map { entry in
            StoredObject(
                key: entry.key, version: entry.version, size: entry.size, provider: entry.provider.description,
                location: entry.location, contentType: entry.contentType, checksum: entry.checksum,
                committedAt: entry.committedAt)
        }
        return StoredObjectPage(objects: objects, next: page.next)
    }

    func providers(deadline: Deadline) async throws(ServiceError) -> [ProviderStatus] {
        var found: [ProviderStatus] = []
        for provider in providers.all {
            found.append(
                ProviderStatus(
                    name: provider.name.description, isPrimary: provider.name == providers.primary.name,
                    problem: try await problem(of: provider, deadline: deadline)))
        }
        return found
    }

    /// What is wrong with the provider that takes new objects; `nil` when it answers. Takes 2 s at the most.
    func problemOfPrimary() async -> String? {
        let provider = providers.primary
        do throws(ServiceError) {
            let problem = try await problem(of: provider, deadline: .after(.seconds(2)))
            return problem.map { "\(provider.name) cannot be used: \($0)" }
        } catch {
            return error.message
        }
    }

    private func problem(
        of provider: any StorageProvider, deadline: Deadline
    ) async throws(ServiceError) -> String? {
        let probe = try StorageKey(Self.probe)
        do {
            _ = try await provider.stat(probe, deadline: deadline)
            return nil
        } catch {
            return error.code == .notFound ? nil : error.message
        }
    }

    func adopt(
        in provider: String, after cursor: String?, deadline: Deadline
    ) async throws(ServiceError) -> AdoptionPage {
        guard let found = providers.provider(named: ProviderName(provider)) else {
            throw ServiceError(.invalidArgument, "There is no provider \"\(provider)\"; set its variables.")
        }
        let page = try await found.list(
            after: cursor.map { PageCursor($0) }, limit: Self.adoptionPageCount, deadline: deadline)
        var adopted: [StorageKey] = []
        for blob in page.entries where !Upload.isOwn(blob.location) {
            guard try await catalogue.entry(for: blob.location, deadline: deadline) == nil else { continue }
            do {
                _ = try await storage.current(blob.location, deadline: deadline)
                adopted.append(blob.location)
            } catch {
                // Removed, or still being written: what is left alone now can be adopted when it is asked for.
                guard [.notFound, .conflict].contains(error.code) else { throw error }
            }
        }
        return AdoptionPage(adopted: adopted, next: page.next?.description)
    }

    func move(_ move: ObjectMove, deadline: Deadline) async throws(ServiceError) -> MoveOutcome {
        // The call before this one began the same.
        var work = move
        work.isContinued = false
        let outcome = try await moves.value(
            of: work, until: Self.end(of: deadline), isContinued: move.isContinued
        ) {
            [mover] () throws(ServiceError) in try await mover.move(move)
        }
        return outcome ?? .underWay
    }

    func movesUnderWay(deadline: Deadline) async throws(ServiceError) -> [MoveProgress] {
        try await register.moves(limit: Self.maxMovesTold, deadline: deadline).map {
            MoveProgress(key: $0.key, bytes: $0.copiedBytes)
        }
    }

    func verify(
        _ key: StorageKey, bytesPerSecond: Int64?, deadline: Deadline
    ) async throws(ServiceError) -> VerifiedObject {
        let work = Verification(key: key, bytesPerSecond: bytesPerSecond)
        let found = try await verifications.value(
            of: work, until: Self.end(of: deadline), isContinued: true
        ) {
            [verifier] () throws(ServiceError) in try await verifier.verify(key, bytesPerSecond: bytesPerSecond)
        }
        return found ?? VerifiedObject(key: key, size: 0, condition: .underWay, detail: nil)
    }

    /// Ends what goes on.
    func shutdown() async {
        await moves.shutdown()
        await verifications.shutdown()
    }

    /// Until when a call waits.
    private static func end(of deadline: Deadline) -> ContinuousClock.Instant {
        min(.now + .seconds(waitSeconds), deadline.instant - .seconds(answerSeconds))
    }

    func collect(deadline: Deadline) async throws(ServiceError) -> CollectedCounts {
        try await collector.collect(now: Date())
    }

    func orphans(_ search: OrphanSearch, deadline: Deadline) async throws(ServiceError) -> OrphanPage {
        try await searcher.search(search, now: Date(), deadline: deadline)
    }
}
