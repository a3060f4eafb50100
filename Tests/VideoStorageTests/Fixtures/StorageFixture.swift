import Domain
import NIOCore
import Testing

@testable import VideoStorage

/// A storage directory, the provider on it, and the service in front, with an in-memory catalogue.
struct StorageFixture {
    let directory: TemporaryDirectory
    let catalogue = InMemoryCatalogue()
    let counters = CountingMetrics()
    let log = CollectingLog()
    let provider: FilesystemProvider
    let storage: ObjectStorage

    /// Serves the directory itself unless another root is named.
    init(root: String? = nil, threads: Int = 4) throws {
        directory = try TemporaryDirectory()
        let metrics = StorageMetrics(factory: counters)
        provider = try FilesystemProvider(
            root: root ?? directory.path, threads: BlockingThreads(count: threads), metrics: metrics,
            logger: log.logger)
        storage = ObjectStorage(
            catalogue: catalogue, providers: ProviderSet(primary: provider), metrics: metrics, logger: log.logger)
    }

    /// The bytes of a range of the blob's current state.
    func read(_ key: String, _ first: Int64, _ last: Int64) async throws -> [UInt8] {
        let key = try StorageKey(key)
        let facts = try await provider.stat(key, deadline: .soon)
        let range = try #require(ByteRange(first: first, last: last))
        let read = try await provider.read(key, range: range, validator: facts.validator, deadline: .soon)
        return Array(read.bytes.readableBytesView)
    }

    func stat(_ key: String) async throws -> BlobFacts {
        try await provider.stat(StorageKey(key), deadline: .soon)
    }

    /// The chunk of an object as the service gives it.
    func chunk(_ facts: ObjectFacts, _ index: Int64, chunkBytes: Int? = nil) async throws(ServiceError) -> Chunk {
        let address = ChunkAddress(
            key: facts.key, version: facts.version, index: index, chunkBytes: chunkBytes ?? facts.chunkBytes)
        return try await storage.read(address, deadline: .soon)
    }

    func objectFacts(_ key: String) async throws(ServiceError) -> ObjectFacts {
        try await storage.stat(StorageKey(key), deadline: .soon)
    }
}

extension Deadline {
    /// Long enough for any test on a busy machine.
    static var soon: Deadline { .after(.seconds(30)) }
}

extension Chunk {
    /// The bytes, for comparison.
    var array: [UInt8] { Array(bytes.readableBytesView) }
}

/// The code of the error that something throws; `nil` when it throws none.
func code(_ body: () async throws -> Void) async -> ServiceError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? ServiceError)?.code
    }
}
