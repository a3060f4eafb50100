import Contracts
import Domain
import NIOCore
import TestKit
import Testing

@testable import VideoStorage

extension Deadline {
    /// Long enough for any test on a busy machine.
    static var patient: Deadline { .after(.seconds(60)) }
}

/// The code of the error that something throws; `nil` when it throws none.
func code(of body: () async throws -> Void) async -> ServiceError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? ServiceError)?.code
    }
}

extension StorageProvider {
    /// Cuts a blob into blocks.
    func block(_ index: Int, of blob: PatternBytes) -> ByteBuffer {
        blob.buffer(from: Int64(index) * Int64(limits.blockBytes), count: Int64(limits.blockBytes))
    }

    func blockCount(of blob: PatternBytes) -> Int {
        Int((blob.count + Int64(limits.blockBytes) - 1) / Int64(limits.blockBytes))
    }

    func begin(_ name: String) async throws -> UploadHandle {
        try await begin(StorageKey(name), contentType: "video/mp4", deadline: .patient)
    }

    /// Stages one block and gives what the commit wants to hear of it.
    func stage(_ index: Int, of blob: PatternBytes, _ handle: UploadHandle, at name: String) async throws -> StagedBlock
    {
        let bytes = block(index, of: blob)
        let receipt = try await stage(handle, at: StorageKey(name), index: index, bytes: bytes, deadline: .patient)
        #expect(receipt.utf8.count <= 128)
        #expect(receipt.utf8.allSatisfy { (0x20...0x7E).contains($0) })
        return StagedBlock(index: index, size: bytes.readableBytes, receipt: receipt)
    }

    func stageAll(_ blob: PatternBytes, _ handle: UploadHandle, at name: String) async throws -> [StagedBlock] {
        var blocks: [StagedBlock] = []
        for index in 0..<blockCount(of: blob) {
            blocks.append(try await stage(index, of: blob, handle, at: name))
        }
        return blocks
    }

    @discardableResult
    func commit(_ handle: UploadHandle, _ blocks: [StagedBlock], at name: String) async throws -> BlobFacts {
        try await commit(handle, at: StorageKey(name), blocks: blocks, contentType: "video/mp4", deadline: .patient)
    }

    func abort(_ handle: UploadHandle, at name: String) async throws {
        try await abort(handle, at: StorageKey(name), deadline: .patient)
    }

    /// Puts a whole blob.
    @discardableResult
    func put(_ blob: PatternBytes, at name: String) async throws -> BlobFacts {
        let handle = try await begin(name)
        return try await commit(handle, try await stageAll(blob, handle, at: name), at: name)
    }

    func facts(_ name: String) async throws -> BlobFacts {
        try await stat(StorageKey(name), deadline: .patient)
    }

    func delete(_ name: String) async throws {
        try await delete(StorageKey(name), deadline: .patient)
    }

    func bytes(
        _ name: String, _ first: Int64, _ last: Int64, of facts: BlobFacts, deadline: Deadline = .patient
    ) async throws -> ByteBuffer {
        let range = try #require(ByteRange(first: first, last: last))
        let read = try await read(StorageKey(name), range: range, validator: facts.validator, deadline: deadline)
        if let checksum = read.checksum { #expect(checksum == CRC32C.checksum(of: read.bytes)) }
        return read.bytes
    }

    /// Whether the blob holds these bytes and no others, read in steps.
    func holds(_ blob: PatternBytes, at name: String, stepBytes: Int64 = 1_000_000) async throws -> Bool {
        let facts = try await facts(name)
        guard facts.size == blob.count else { return false }
        var first: Int64 = 0
        while first < blob.count {
            let read = try await bytes(name, first, first + stepBytes - 1, of: facts)
            guard read == blob.buffer(from: first, count: stepBytes) else { return false }
            first += stepBytes
        }
        return true
    }

    /// All blobs, in the order in which they are given.
    func listing(pageSize: Int) async throws -> [BlobPage.Entry] {
        var entries: [BlobPage.Entry] = []
        var cursor: PageCursor?
        repeat {
            let page = try await list(after: cursor, limit: pageSize, deadline: .patient)
            #expect(page.entries.count <= pageSize)
            entries += page.entries
            cursor = page.next
        } while cursor != nil && entries.count < 10_000
        return entries
    }

    /// The locations of all uploads that are not over.
    func uploadLocations(pageSize: Int = 100) async throws -> [String] {
        var locations: [String] = []
        var cursor: PageCursor?
        repeat {
            let page = try await uploads(after: cursor, limit: pageSize, deadline: .patient)
            locations += page.entries.map(\.location.description)
            cursor = page.next
        } while cursor != nil && locations.count < 10_000
        return locations
    }
}
