import Domain
import NIOCore

/// A provider that does something around every call of another one, the same for all of them. Such wrappers are written once
/// and can be put around each other; see `VideoStorage` for the order.
protocol WrappingProvider: StorageProvider {
    /// The provider that does the work.
    var inner: any StorageProvider { get }

    /// Makes a call of the inner provider, once, several times or not at all.
    ///
    /// - Parameters:
    ///   - call: Which one.
    ///   - deadline: When nobody waits for it any more.
    ///   - body: Makes it; may be run again.
    /// - Returns: What it gave.
    /// - Throws: What it threw, or the wrapper's own reason not to make it.
    func around<Value: Sendable>(
        _ call: ProviderCall, deadline: Deadline, _ body: () async throws(ServiceError) -> Value
    ) async throws(ServiceError) -> Value
}

extension WrappingProvider {
    var name: ProviderName { inner.name }
    var limits: ProviderLimits { inner.limits }

    func stat(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) -> BlobFacts {
        try await around(.stat, deadline: deadline) { () async throws(ServiceError) in
            try await inner.stat(location, deadline: deadline)
        }
    }

    func read(
        _ location: StorageKey, range: ByteRange, validator: BlobValidator, deadline: Deadline
    ) async throws(ServiceError) -> BlobBytes {
        try await around(.read, deadline: deadline) { () async throws(ServiceError) in
            try await inner.read(location, range: range, validator: validator, deadline: deadline)
        }
    }

    func begin(
        _ location: StorageKey, contentType: String?, deadline: Deadline
    ) async throws(ServiceError) -> UploadHandle {
        try await around(.begin, deadline: deadline) { () async throws(ServiceError) in
            try await inner.begin(location, contentType: contentType, deadline: deadline)
        }
    }

    func stage(
        _ handle: UploadHandle, at location: StorageKey, index: Int, bytes: ByteBuffer, deadline: Deadline
    ) async throws(ServiceError) -> String {
        try await around(.stage, deadline: deadline) { () async throws(ServiceError) in
            try await inner.stage(handle, at: location, index: index, bytes: bytes, deadline: deadline)
        }
    }

    func commit(
        _ handle: UploadHandle, at location: StorageKey, blocks: [StagedBlock], contentType: String?, deadline: Deadline
    ) async throws(ServiceError) -> BlobFacts {
        try await around(.commit, deadline: deadline) { () async throws(ServiceError) in
            try await inner.commit(handle, at: location, blocks: blocks, contentType: contentType, deadline: deadline)
        }
    }

    func abort(_ handle: UploadHandle, at location: StorageKey, deadline: Deadline) async throws(ServiceError) {
        try await around(.abort, deadline: deadline) { () async throws(ServiceError) in
            try await inner.abort(handle, at: location, deadline: deadline)
        }
    }

    func delete(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) {
        try await around(.delete, deadline: deadline) { () async throws(ServiceError) in
            try await inner.delete(location, deadline: deadline)
        }
    }

    func list(after cursor: PageCursor?, limit: Int, deadline: Deadline) async throws(ServiceError) -> BlobPage {
        try await around(.list, deadline: deadline) { () async throws(ServiceError) in
            try await inner.list(after: cursor, limit: limit, deadline: deadline)
        }
    }

    func uploads(
        after cursor: PageCursor?, limit: Int, deadline: Deadline
    ) async throws(ServiceError) -> BegunUploadPage {
        try await around(.uploads, deadline: deadline) { () async throws(ServiceError) in
            try await inner.uploads(after: cursor, limit: limit, deadline: deadline)
        }
    }
}
