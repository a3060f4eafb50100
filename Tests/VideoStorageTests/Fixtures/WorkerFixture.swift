import Crypto
import Domain
import Foundation
import NIOCore

@testable import VideoStorage

/// A storage worker of all parts, with two providers that are directories, and a catalogue in memory.
struct WorkerFixture {
    let old: TemporaryDirectory
    let new: TemporaryDirectory
    let catalogue = InMemoryCatalogue()
    let register = InMemoryRegister()
    let counters = CountingMetrics()
    let log = CollectingLog()
    let providers: ProviderSet
    let worker: StorageWorker
    var storage: ObjectStorage { worker.storage }
    var uploads: ObjectUploads { worker.uploads }
    var deletion: ObjectDeletion { worker.deletion }
    var collector: Collector { worker.collector }
    var administration: StorageOperator { worker.administration }

    static let new = ProviderName("other")

    init(rules: CollectionRules = CollectionRules()) throws {
        old = try TemporaryDirectory()
        new = try TemporaryDirectory()
        let metrics = StorageMetrics(factory: counters)
        let threads = BlockingThreads(count: 4)
        let logger = log.logger
        func directory(_ path: String) throws -> FilesystemProvider {
            try FilesystemProvider(root: path, threads: threads, metrics: metrics, logger: logger)
        }
        providers = ProviderSet(
            primary: try directory(old.path),
            others: [RenamedProvider(Self.new.description, try directory(new.path))])
        worker = StorageWorker(
            catalogue: catalogue, register: register, providers: providers, outbox: .none, rules: rules,
            metrics: metrics,
            logger: logger)
    }

    /// What moves objects in another worker that shares everything with this one.
    func mover(now: @escaping @Sendable () -> Date = { Date() }) -> ObjectMover {
        let metrics = StorageMetrics(factory: counters)
        return ObjectMover(
            storage: ObjectStorage(
                catalogue: catalogue, providers: providers, metrics: metrics, logger: log.logger),
            register: register, catalogue: catalogue, providers: providers, metrics: metrics, logger: log.logger,
            now: now)
    }

    /// What takes uploads in another worker that shares everything with this one.
    func uploadsElsewhere(now: @escaping @Sendable () -> Date = { Date() }) -> ObjectUploads {
        ObjectUploads(
            register: register, catalogue: catalogue, providers: providers, outbox: .none,
            touchSeconds: CollectionRules().touchSeconds, metrics: StorageMetrics(factory: counters),
            logger: log.logger, now: now)
    }

    /// Stages all blocks of some bytes.
    func begin(_ key: String, _ bytes: [UInt8], id: UploadID = .random()) async throws -> FinishedUpload {
        let new = NewUpload(
            id: id, key: try StorageKey(key), contentType: "video/mp4", size: Int64(bytes.count))
        let plan = try await uploads.begin(new, deadline: .soon)
        var blocks: [StagedBlock] = []
        for (index, start) in stride(from: 0, to: bytes.count, by: plan.blockBytes).enumerated() {
            let part = bytes[start..<min(bytes.count, start + plan.blockBytes)]
            blocks.append(
                try await uploads.stage(
                    UploadBlock(upload: id, index: index, bytes: ByteBuffer(bytes: part)), deadline: .soon))
        }
        return FinishedUpload(id: id, blocks: blocks, checksum: sha256(bytes))
    }

    @discardableResult
    func upload(_ key: String, _ bytes: [UInt8]) async throws -> ObjectFacts {
        try await uploads.commit(begin(key, bytes), deadline: .soon)
    }

    func facts(_ key: String) async throws -> ObjectFacts {
        try await storage.stat(StorageKey(key), deadline: .soon)
    }

    /// All bytes of a version, by chunks.
    func bytes(_ facts: ObjectFacts) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while Int64(bytes.count) < facts.size {
            let address = ChunkAddress(
                key: facts.key, version: facts.version, index: Int64(bytes.count / facts.chunkBytes),
                chunkBytes: facts.chunkBytes)
            bytes += try await storage.read(address, deadline: .soon).array
        }
        return bytes
    }

    func entry(_ key: String) throws -> CatalogueEntry? {
        catalogue.entries[try StorageKey(key)]
    }

    func move(_ key: String, to target: ProviderName = WorkerFixture.new) async throws -> MoveOutcome {
        try await administration.move(
            ObjectMove(key: StorageKey(key), source: nil, target: target.description, bytesPerSecond: nil),
            deadline: .soon)
    }

    /// Clears up as it would be this much later.
    @discardableResult
    func collect(later seconds: Int) async throws -> CollectedCounts {
        try await collector.collect(now: Date().addingTimeInterval(TimeInterval(seconds)))
    }
}

extension TemporaryDirectory {
    /// Makes a file look as if it had been written that long ago.
    func age(_ name: String, seconds: Double) throws {
        try FileManager.default.setAttributes(
            [.modificationDate: Date().addingTimeInterval(-seconds)], ofItemAtPath: "\(path)/\(name)")
    }

    /// Every file below it, with its path from there.
    var files: Set<String> {
        var files: Set<String> = []
        for path in FileManager.default.enumerator(atPath: self.path)?.compactMap({ $0 as? String }) ?? [] {
            var isFolder: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: "\(self.path)/\(path)", isDirectory: &isFolder)
            if !isFolder.boolValue { files.insert(path) }
        }
        return files
    }
}

/// The checksum of bytes as the catalogue has it, computed in another way than there.
func sha256(_ bytes: [UInt8]) -> String {
    "sha256:" + SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined()
}
