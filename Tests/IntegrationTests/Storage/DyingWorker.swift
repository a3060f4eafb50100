import Domain
import Foundation
import NIOCore
import Synchronization

@testable import VideoStorage

/// A worker that is killed at a certain step: just before the step is carried out, or just after, so that nobody learns of it.
/// From then on it does nothing any more.
final class Fate: Sendable {
    private struct State {
        var step = 0
        var isDead = false
    }

    private let fatalStep: Int
    private let isCarriedOut: Bool
    private let state = Mutex(State())

    /// - Parameters:
    ///   - fatalStep: The step at which it dies, from 1.
    ///   - isCarriedOut: Whether that step still happens.
    init(fatalStep: Int, isCarriedOut: Bool) {
        self.fatalStep = fatalStep
        self.isCarriedOut = isCarriedOut
    }

    /// A worker that lives.
    static var none: Fate { Fate(fatalStep: .max, isCarriedOut: true) }

    var isDead: Bool { state.withLock { $0.isDead } }

    func step<Value: Sendable>(
        _ body: () async throws(ServiceError) -> Value
    ) async throws(ServiceError) -> Value {
        let (isFatal, wasDead) = state.withLock { state in
            let wasDead = state.isDead
            state.step += 1
            state.isDead = wasDead || state.step == fatalStep
            return (state.isDead, wasDead)
        }
        guard isFatal else { return try await body() }
        if !wasDead, isCarriedOut { _ = try await body() }
        throw ServiceError(.internal, "killed")
    }
}

/// The catalogue as a worker with a fate uses it. Questions are steps as well: it may die after any of them.
struct FatefulCatalogue: Catalogue {
    let catalogue: any Catalogue
    let fate: Fate

    func entry(for key: StorageKey, deadline: Deadline) async throws(ServiceError) -> CatalogueEntry? {
        try await fate.step { () throws(ServiceError) in try await catalogue.entry(for: key, deadline: deadline) }
    }

    func put(
        _ entry: CatalogueEntry, replacing seen: CatalogueEntry?, noting notes: CatalogueNotes, deadline: Deadline
    ) async throws(ServiceError) -> CatalogueChange {
        try await fate.step { () throws(ServiceError) in
            try await catalogue.put(entry, replacing: seen, noting: notes, deadline: deadline)
        }
    }

    func entries(after key: StorageKey?, limit: Int, deadline: Deadline) async throws(ServiceError) -> CataloguePage {
        try await fate.step { () throws(ServiceError) in
            try await catalogue.entries(after: key, limit: limit, deadline: deadline)
        }
    }

    func entriesToClear(
        retiredBefore moment: Date, in providers: [ProviderName], limit: Int, deadline: Deadline
    ) async throws(ServiceError) -> [CatalogueEntry] {
        try await fate.step { () throws(ServiceError) in
            try await catalogue.entriesToClear(
                retiredBefore: moment, in: providers, limit: limit, deadline: deadline)
        }
    }

    func forget(_ blob: RetiredBlob, of key: StorageKey, deadline: Deadline) async throws(ServiceError) {
        try await fate.step { () throws(ServiceError) in
            try await catalogue.forget(blob, of: key, deadline: deadline)
        }
    }

    func removeDeleted(_ entry: CatalogueEntry, deadline: Deadline) async throws(ServiceError) -> Bool {
        try await fate.step { () throws(ServiceError) in
            try await catalogue.removeDeleted(entry, deadline: deadline)
        }
    }

    func named(
        _ locations: [StorageKey], in provider: ProviderName, includingRetired: Bool, deadline: Deadline
    ) async throws(ServiceError) -> Set<StorageKey> {
        try await fate.step { () throws(ServiceError) in
            try await catalogue.named(
                locations, in: provider, includingRetired: includingRetired, deadline: deadline)
        }
    }
}

/// The register as a worker with a fate uses it.
struct FatefulRegister: UploadRegister {
    let register: any UploadRegister
    let fate: Fate

    func enter(_ upload: Upload, deadline: Deadline) async throws(ServiceError) -> Upload? {
        try await fate.step { () throws(ServiceError) in try await register.enter(upload, deadline: deadline) }
    }

    func upload(_ id: UploadID, deadline: Deadline) async throws(ServiceError) -> Upload? {
        try await fate.step { () throws(ServiceError) in try await register.upload(id, deadline: deadline) }
    }

    func advance(
        _ id: UploadID, from states: [Upload.State], to state: Upload.State, content: Upload.Content?, at moment: Date,
        deadline: Deadline
    ) async throws(ServiceError) -> Bool {
        try await fate.step { () throws(ServiceError) in
            try await register.advance(
                id, from: states, to: state, content: content, at: moment, deadline: deadline)
        }
    }

    func touch(
        _ id: UploadID, at moment: Date, copiedBytes: Int64?, deadline: Deadline
    ) async throws(ServiceError) {
        try await fate.step { () throws(ServiceError) in
            try await register.touch(id, at: moment, copiedBytes: copiedBytes, deadline: deadline)
        }
    }

    func uploads(
        in states: [Upload.State], of providers: [ProviderName], touchedBefore moment: Date, limit: Int,
        deadline: Deadline
    ) async throws(ServiceError) -> [Upload] {
        try await fate.step { () throws(ServiceError) in
            try await register.uploads(
                in: states, of: providers, touchedBefore: moment, limit: limit, deadline: deadline)
        }
    }

    func moves(limit: Int, deadline: Deadline) async throws(ServiceError) -> [Upload] {
        try await fate.step { () throws(ServiceError) in try await register.moves(limit: limit, deadline: deadline) }
    }

    func remove(_ id: UploadID, in state: Upload.State, deadline: Deadline) async throws(ServiceError) {
        try await fate.step { () throws(ServiceError) in
            try await register.remove(id, in: state, deadline: deadline)
        }
    }

    func named(
        _ locations: [StorageKey], in provider: ProviderName, deadline: Deadline
    ) async throws(ServiceError) -> Set<StorageKey> {
        try await fate.step { () throws(ServiceError) in
            try await register.named(locations, in: provider, deadline: deadline)
        }
    }
}

/// The provider as a worker with a fate uses it: what writes is a step.
struct FatefulProvider: StorageProvider {
    let provider: any StorageProvider
    let fate: Fate

    /// Its own name, unless it stands beside another one of its kind.
    let name: ProviderName

    init(_ provider: any StorageProvider, fate: Fate, name: ProviderName? = nil) {
        self.provider = provider
        self.fate = fate
        self.name = name ?? provider.name
    }

    var limits: ProviderLimits { provider.limits }

    func stat(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) -> BlobFacts {
        try await provider.stat(location, deadline: deadline)
    }

    func read(
        _ location: StorageKey, range: ByteRange, validator: BlobValidator, deadline: Deadline
    ) async throws(ServiceError) -> BlobBytes {
        try await provider.read(location, range: range, validator: validator, deadline: deadline)
    }

    func begin(
        _ location: StorageKey, contentType: String?, deadline: Deadline
    ) async throws(ServiceError) -> UploadHandle {
        try await fate.step { () throws(ServiceError) in
            try await provider.begin(location, contentType: contentType, deadline: deadline)
        }
    }

    func stage(
        _ handle: UploadHandle, at location: StorageKey, index: Int, bytes: ByteBuffer, deadline: Deadline
    ) async throws(ServiceError) -> String {
        try await fate.step { () throws(ServiceError) in
            try await provider.stage(handle, at: location, index: index, bytes: bytes, deadline: deadline)
        }
    }

    func commit(
        _ handle: UploadHandle, at location: StorageKey, blocks: [StagedBlock], contentType: String?, deadline: Deadline
    ) async throws(ServiceError) -> BlobFacts {
        try await fate.step { () throws(ServiceError) in
            try await provider.commit(
                handle, at: location, blocks: blocks, contentType: contentType, deadline: deadline)
        }
    }

    func abort(_ handle: UploadHandle, at location: StorageKey, deadline: Deadline) async throws(ServiceError) {
        try await fate.step { () throws(ServiceError) in
            try await provider.abort(handle, at: location, deadline: deadline)
        }
    }

    func delete(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) {
        try await fate.step { () throws(ServiceError) in
            try await provider.delete(location, deadline: deadline)
        }
    }

    func list(after cursor: PageCursor?, limit: Int, deadline: Deadline) async throws(ServiceError) -> BlobPage {
        try await provider.list(after: cursor, limit: limit, deadline: deadline)
    }

    func uploads(
        after cursor: PageCursor?, limit: Int, deadline: Deadline
    ) async throws(ServiceError) -> BegunUploadPage {
        try await provider.uploads(after: cursor, limit: limit, deadline: deadline)
    }
}
