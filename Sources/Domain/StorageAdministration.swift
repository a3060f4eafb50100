#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// What an operator does with the storage service: look into it, move objects between providers, check them, clear up.
///
/// Every call throws ``ServiceError``; beside their own errors they may throw `unavailable`, `overloaded`,
/// `deadlineExceeded` and `internal`. Every call may be repeated: what has been done already is seen and not done again.
public protocol StorageAdministration: Sendable {
    /// A page of the objects in the byte order of their keys. Objects that were deleted are left out.
    ///
    /// - Parameters:
    ///   - key: The ``StoredObjectPage/next`` of the page before, `nil` for the first page.
    ///   - limit: How many at the most, from 1 to ``StorageAdministrationLimits/maxPageSize``. A page may be short.
    ///   - deadline: When nobody waits for it any more.
    /// - Returns: The page, and where the next one starts.
    /// - Throws: `invalidArgument` when the limit is out of bounds.
    func objects(after key: StorageKey?, limit: Int, deadline: Deadline) async throws(ServiceError) -> StoredObjectPage

    /// The providers that the worker which answers has, the primary one first.
    func providers(deadline: Deadline) async throws(ServiceError) -> [ProviderStatus]

    /// Enters a page of the blobs that somebody has put into a provider and that the catalogue does not know yet.
    ///
    /// - Parameters:
    ///   - provider: Which provider.
    ///   - cursor: The ``AdoptionPage/next`` of the page before, `nil` for the first page.
    ///   - deadline: When nobody waits for it any more.
    /// - Returns: What was entered, and where the next page starts.
    /// - Throws: `invalidArgument` when there is no such provider.
    func adopt(
        in provider: String, after cursor: String?, deadline: Deadline
    ) async throws(ServiceError) -> AdoptionPage

    /// Moves the bytes of one object to another provider. Its version stays, whoever reads it reads on, and the old blob is
    /// deleted after a time.
    ///
    /// Guaranteed: the object is in its new place only after every byte has been read back from there and the checksum is
    /// the catalogue's (for an adopted object: that of the bytes which were copied). It takes as long as the bytes take; when
    /// that is longer than a call may wait, the answer is ``MoveOutcome/underWay``, and the move goes on: call again, with
    /// ``ObjectMove/isContinued``.
    ///
    /// - Throws: `notFound` when there is no such object, `invalidArgument` when there is no such provider, `tooLarge` when
    ///   the provider cannot hold it, `corrupt` when the bytes are not those of the checksum (the object stays where it
    ///   was), `conflict` when it has got another version meanwhile.
    func move(_ move: ObjectMove, deadline: Deadline) async throws(ServiceError) -> MoveOutcome

    /// The moves that are under way, at any worker.
    func movesUnderWay(deadline: Deadline) async throws(ServiceError) -> [MoveProgress]

    /// Reads an object back and compares it with its checksum. What it finds is the answer, not an error. When that takes
    /// longer than a call may wait, the answer is ``VerifiedObject/Condition/underWay``: call again.
    ///
    /// - Parameters:
    ///   - key: Which object.
    ///   - bytesPerSecond: How fast at the most; `nil` for as fast as it goes.
    ///   - deadline: When nobody waits for it any more.
    /// - Returns: What was found.
    /// - Throws: `notFound` when the catalogue has no such object.
    func verify(
        _ key: StorageKey, bytesPerSecond: Int64?, deadline: Deadline
    ) async throws(ServiceError) -> VerifiedObject

    /// Clears up what is due now: uploads that were abandoned, blobs that were retired long enough ago.
    func collect(deadline: Deadline) async throws(ServiceError) -> CollectedCounts

    /// Looks through a page of a provider for what this service has written there and nothing names any more.
    ///
    /// - Parameters:
    ///   - search: Where to look, and whether to delete what is found. Otherwise it is only reported.
    ///   - deadline: When nobody waits for it any more.
    /// - Returns: What was found, and where the next page starts.
    /// - Throws: `invalidArgument` when there is no such provider.
    func orphans(_ search: OrphanSearch, deadline: Deadline) async throws(ServiceError) -> OrphanPage
}

/// The limits of the administration of storage.
public enum StorageAdministrationLimits {
    /// A page of this many objects with the longest keys stays below 1 MiB.
    public static let maxPageSize = 200
    /// How long one call may wait for an object to be moved or verified, in seconds; the object may take longer. RabbitMQ takes
    /// a request back from a worker that has not answered after 30 minutes.
    public static let maxCallSeconds = 25 * 60
}

/// An object as an operator sees it.
public struct StoredObject: Sendable, Equatable {
    /// Its name.
    public var key: StorageKey
    /// The version that is current.
    public var version: ObjectVersion
    /// Bytes in all.
    public var size: Int64
    /// The provider that holds it.
    public var provider: String
    /// Where in the provider it is.
    public var location: StorageKey
    /// The media type, where it is known.
    public var contentType: String?
    /// The checksum of its bytes; `nil` for one that was put there by hand.
    public var checksum: String?
    /// When the version came to be.
    public var committedAt: Date

    /// Makes an object's facts.
    public init(
        key: StorageKey, version: ObjectVersion, size: Int64, provider: String, location: StorageKey,
        contentType: String?, checksum: String?, committedAt: Date
    ) {
        self.key = key
        self.version = version
        self.size = size
        self.provider = provider
        self.location = location
        self.contentType = contentType
        self.checksum = checksum
        self.committedAt = committedAt
    }
}

/// A page of objects.
public struct StoredObjectPage: Sendable, Equatable {
    /// In the byte order of their keys.
    public var objects: [StoredObject]
    /// Where the next page begins after; `nil` at the end.
    public var next: StorageKey?

    /// Makes a page.
    public init(objects: [StoredObject], next: StorageKey?) {
        self.objects = objects
        self.next = next
    }
}

/// A provider as a worker has it.
public struct ProviderStatus: Sendable, Equatable {
    /// Its name.
    public var name: String
    /// Whether new objects go there.
    public var isPrimary: Bool
    /// Why it cannot be used now; `nil` when it can.
    public var problem: String?

    /// Makes a status.
    public init(name: String, isPrimary: Bool, problem: String?) {
        self.name = name
        self.isPrimary = isPrimary
        self.problem = problem
    }
}

/// A page of a provider that was looked through for blobs which nobody knows.
public struct AdoptionPage: Sendable, Equatable {
    /// The objects that are in the catalogue now and were not before.
    public var adopted: [StorageKey]
    /// Where the next page begins; `nil` at the end.
    public var next: String?

    /// Makes a page.
    public init(adopted: [StorageKey], next: String?) {
        self.adopted = adopted
        self.next = next
    }
}

/// One object that shall move.
public struct ObjectMove: Sendable, Hashable {
    /// Which object.
    public var key: StorageKey
    /// The provider that it is to be moved from; one that is elsewhere stays. `nil` for any.
    public var source: String?
    /// The provider that it is to be moved to.
    public var target: String
    /// How fast at the most; `nil` for as fast as it goes.
    public var bytesPerSecond: Int64?
    /// Whether a call before this one was told that the move is under way: then it is waited for, at whichever worker it goes
    /// on, and begun anew only when it has stopped.
    public var isContinued: Bool

    /// Makes a move.
    public init(
        key: StorageKey, source: String?, target: String, bytesPerSecond: Int64?, isContinued: Bool = false
    ) {
        self.key = key
        self.source = source
        self.target = target
        self.bytesPerSecond = bytesPerSecond
        self.isContinued = isContinued
    }
}

/// What came of a move.
public enum MoveOutcome: String, Sendable, CaseIterable {
    /// The object is in its new place now.
    case moved
    /// It was there already.
    case alreadyThere
    /// It is in a provider that it was not to be moved from.
    case elsewhere
    /// It takes longer than a call may wait, and goes on.
    case underWay
}

/// How far a move has come.
public struct MoveProgress: Sendable, Equatable {
    /// Which object.
    public var key: StorageKey
    /// How much has been done, in bytes of the object: half of it when they are all copied, and all when they have been read
    /// back.
    public var bytes: Int64

    /// Makes a progress.
    public init(key: StorageKey, bytes: Int64) {
        self.key = key
        self.bytes = bytes
    }
}

/// What a look at all bytes of an object has found.
public struct VerifiedObject: Sendable, Equatable {
    /// How the bytes are.
    public enum Condition: String, Sendable, CaseIterable {
        /// They are those of the checksum.
        case intact
        /// They can be read, and there is no checksum to compare with.
        case unchecked
        /// They are not those of the checksum, or not as many as there were.
        case damaged
        /// There is no blob in the place that the catalogue names.
        case missing
        /// They could not be read; the detail says why.
        case unreadable
        /// They are still being read.
        case underWay
    }

    /// Which object.
    public var key: StorageKey
    /// Bytes in all.
    public var size: Int64
    /// How the bytes are.
    public var condition: Condition
    /// What was found instead, for humans.
    public var detail: String?

    /// Makes a finding.
    public init(key: StorageKey, size: Int64, condition: Condition, detail: String?) {
        self.key = key
        self.size = size
        self.condition = condition
        self.detail = detail
    }
}

/// What a clearing up has done.
public struct CollectedCounts: Sendable, Equatable {
    /// Uploads that nobody has touched for long and that were given up.
    public var abandonedUploads = 0
    /// Blobs that were deleted.
    public var deletedBlobs = 0
    /// Things that could not be cleared up now, and are tried again later.
    public var failures = 0

    /// Nothing yet.
    public init() {}
}

/// A page of a provider that is to be looked through for what nothing names.
public struct OrphanSearch: Sendable, Equatable {
    /// Which provider.
    public var provider: String
    /// The ``OrphanPage/next`` of the page before, `nil` for the first page.
    public var cursor: String?
    /// Whether to delete what is found.
    public var deletes: Bool

    /// Makes a search.
    public init(provider: String, cursor: String?, deletes: Bool) {
        self.provider = provider
        self.cursor = cursor
        self.deletes = deletes
    }
}

/// What nothing names.
public struct OrphanPage: Sendable, Equatable {
    /// A blob, or what has been staged of one.
    public struct Orphan: Sendable, Equatable {
        /// Where it is.
        public var location: StorageKey
        /// Its size in bytes; `nil` for an upload that was never finished.
        public var size: Int64?

        /// Makes an orphan.
        public init(location: StorageKey, size: Int64?) {
            self.location = location
            self.size = size
        }
    }

    /// What was found, and deleted where that was asked for.
    public var orphans: [Orphan]
    /// Where the next page begins; `nil` at the end.
    public var next: String?

    /// Makes a page.
    public init(orphans: [Orphan], next: String?) {
        self.orphans = orphans
        self.next = next
    }
}
