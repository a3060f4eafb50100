import Domain
import NIOCore

@testable import VideoStorage

/// A provider under another name, so that two of a kind can stand side by side.
struct RenamedProvider: StorageProvider {
    let name: ProviderName
    let provider: any StorageProvider

    init(_ name: String, _ provider: any StorageProvider) {
        self.name = ProviderName(name)
        self.provider = provider
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
        try await provider.begin(location, contentType: contentType, deadline: deadline)
    }

    func stage(
        _ handle: UploadHandle, at location: StorageKey, index: Int, bytes: ByteBuffer, deadline: Deadline
    ) async throws(ServiceError) -> String {
        try await provider.stage(handle, at: location, index: index, bytes: bytes, deadline: deadline)
    }

    func commit(
        _ handle: UploadHandle, at location: StorageKey, blocks: [StagedBlock], contentType: String?, deadline: Deadline
    ) async throws(ServiceError) -> BlobFacts {
        try await provider.commit(handle, at: location, blocks: blocks, contentType: contentType, deadline: deadline)
    }

    func abort(_ handle: UploadHandle, at location: StorageKey, deadline: Deadline) async throws(ServiceError) {
        try await provider.abort(handle, at: location, deadline: deadline)
    }

    func delete(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) {
        try await provider.delete(location, deadline: deadline)
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
