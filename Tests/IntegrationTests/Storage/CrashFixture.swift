import Crypto
import Domain
import Foundation
import Mongo
import NIOCore
import RPC

@testable import VideoStorage

/// Storage workers that share a database and two directories, some of which die.
struct CrashFixture {
    static let target = ProviderName("other")

    let folder: String
    let client: MongoClient
    /// The old one, and the new one.
    let providers: [any StorageProvider]

    /// Runs a test with a database and folders of its own.
    static func with(_ body: (CrashFixture) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/millrace-\(UUID().uuidString)"
        for name in ["old", "new"] {
            try FileManager.default.createDirectory(
                atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        }
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let threads = BlockingThreads(count: 4)
        try await MongoFixture.withClient { client in
            try await MongoCatalogue(client: client).prepare(deadline: .ample)
            try await MongoUploads(client: client).prepare(deadline: .ample)
            func provider(_ name: String) throws -> FilesystemProvider {
                try FilesystemProvider(
                    root: "\(folder)/\(name)", threads: threads, metrics: StorageMetrics(), logger: MongoFixture.logger)
            }
            let providers: [any StorageProvider] = [
                try provider("old"), FatefulProvider(try provider("new"), fate: .none, name: target),
            ]
            try await body(CrashFixture(folder: folder, client: client, providers: providers))
        }
        await threads.shutdown()
    }

    var catalogue: MongoCatalogue { MongoCatalogue(client: client) }
    var register: MongoUploads { MongoUploads(client: client) }
    var outbox: MongoOutbox { MongoOutbox(client: client) }

    /// A worker, with its fate.
    func worker(_ fate: Fate = .none) -> StorageWorker {
        StorageWorker(
            catalogue: FatefulCatalogue(catalogue: catalogue, fate: fate),
            register: FatefulRegister(register: register, fate: fate),
            providers: ProviderSet(
                primary: FatefulProvider(providers[0], fate: fate),
                others: [FatefulProvider(providers[1], fate: fate)]),
            outbox: .none, rules: CollectionRules(), metrics: StorageMetrics(), logger: MongoFixture.logger)
    }

    /// Every file of both directories.
    func files() -> [String] {
        (FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []).filter { path in
            var isFolder: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: "\(folder)/\(path)", isDirectory: &isFolder)
            return !isFolder.boolValue
        }
    }

    /// Clears up as it will be in some days: what is left then is left for ever.
    func collectEverything() async throws {
        for days in 1...3 {
            let later = Date().addingTimeInterval(Double(days) * 90_000)
            _ = try await worker().collector.collect(now: later)
        }
        // What was begun by a worker that died before it could say so.
        for provider in providers {
            let searcher = OrphanSearcher(
                register: register, catalogue: catalogue, providers: ProviderSet(primary: provider),
                rules: CollectionRules())
            var cursor: String?
            repeat {
                let page = try await searcher.search(
                    OrphanSearch(provider: provider.name.description, cursor: cursor, deletes: true),
                    now: Date().addingTimeInterval(90_000), deadline: .ample)
                cursor = page.next
            } while cursor != nil
        }
    }

    /// Tells every event, as the outbox publisher does.
    func tellEvents() async throws -> [Event] {
        let pending = try await outbox.pendingEvents(limit: 1_000, deadline: .ample)
        for event in pending { try await outbox.remove(event, deadline: .ample) }
        return pending.map(\.event)
    }
}

extension StorageWorker {
    /// Stages all blocks of some bytes.
    func begin(_ key: String, _ bytes: [UInt8], id: UploadID = .random()) async throws -> FinishedUpload {
        let new = NewUpload(id: id, key: try StorageKey(key), contentType: nil, size: nil)
        let plan = try await uploads.begin(new, deadline: .ample)
        var blocks: [StagedBlock] = []
        for (index, start) in stride(from: 0, to: bytes.count, by: plan.blockBytes).enumerated() {
            let part = bytes[start..<min(bytes.count, start + plan.blockBytes)]
            blocks.append(
                try await uploads.stage(
                    UploadBlock(upload: id, index: index, bytes: ByteBuffer(bytes: part)), deadline: .ample))
        }
        let digits = SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined()
        return FinishedUpload(id: id, blocks: blocks, checksum: "sha256:\(digits)")
    }

    /// All bytes of the current version.
    func bytes(_ key: String) async throws -> [UInt8] {
        let facts = try await storage.stat(StorageKey(key), deadline: .ample)
        var bytes: [UInt8] = []
        while Int64(bytes.count) < facts.size {
            let address = ChunkAddress(
                key: facts.key, version: facts.version, index: Int64(bytes.count / facts.chunkBytes),
                chunkBytes: facts.chunkBytes)
            bytes += Array(try await storage.read(address, deadline: .ample).bytes.readableBytesView)
        }
        return bytes
    }

    func move(_ key: String) async throws -> MoveOutcome {
        try await administration.move(
            ObjectMove(
                key: StorageKey(key), source: nil, target: CrashFixture.target.description, bytesPerSecond: nil),
            deadline: .ample)
    }
}

/// The code of the error that something throws; `nil` when it throws none.
func failureCode(_ body: () async throws -> Void) async -> ServiceError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? ServiceError)?.code
    }
}

extension Deadline {
    /// Long enough for any test on a busy machine.
    static var ample: Deadline { .after(.seconds(30)) }
}
