import AMQP
import Contracts
import Domain
import Foundation
import NIOCore
import TestKit
import Testing

@testable import RPC

/// Calls of every kind, always the same, against services in memory.
struct WireScenario {
    /// The services, as one process would offer them.
    let router: RPCRouter

    init() throws {
        let storage = InMemoryStorage()
        storage.put(
            try StorageKey("films/ä.mp4"), bytes: ByteBuffer(string: "123456789"), version: try Samples.version("v1"),
            contentType: "video/mp4", modifiedAt: Date(timeIntervalSince1970: 1.5))
        let administration = InMemoryStorageAdministration()
        let object = StoredObject(
            key: try StorageKey("films/ä.mp4"), version: try Samples.version("v1"), size: 9, provider: "filesystem",
            location: try StorageKey("uploads/1"), contentType: "video/mp4", checksum: "sha256:00",
            committedAt: Date(timeIntervalSince1970: 1.5))
        administration.change {
            $0.objects = [object]
            $0.providers = [ProviderStatus(name: "s3", isPrimary: true, problem: "it is gone")]
        }
        var router = RPCRouter.metadata(InMemoryMetadata())
        router.add(.storage(storage))
        router.add(.uploads(InMemoryUploads(storage)))
        router.add(.storageAdministration(administration))
        self.router = router
    }

    /// Makes the calls.
    ///
    /// - Returns: What each came to, as text.
    static func run(_ calls: any RPCCalling) async throws -> [String] {
        try await metadata(MetadataClient(calls)) + storage(StorageClient(calls)) + uploads(UploadClient(calls))
            + administration(StorageAdministrationClient(calls))
    }

    private static func outcome<Value>(_ call: () async throws(ServiceError) -> Value) async -> String {
        do throws(ServiceError) {
            return "\(try await call())"
        } catch {
            return "\(error.code): \(error.message)"
        }
    }

    private static func metadata(_ client: MetadataClient) async throws -> [String] {
        let (id, deadline) = (try Samples.id("a"), Samples.deadline)
        let change = try #require(CommandID("c-1"))
        let late = try #require(CommandID("c-2"))
        let delete = try #require(CommandID("c-3"))
        let nobody = try Samples.id("b")
        let key = try StorageKey("films/ä.mp4")
        let content = VideoContent(
            version: try Samples.version("v1"), size: 9, contentType: "video/mp4",
            committedAt: Date(timeIntervalSince1970: 1.5))
        let new = NewVideo(id: id, videoPath: "films/ä.mp4", title: "Ä", awaitsUpload: true)
        return [
            await outcome { () throws(ServiceError) in try await client.create(new, deadline: deadline) },
            await outcome { () throws(ServiceError) in try await client.find(id, deadline: deadline) },
            await outcome { () throws(ServiceError) in try await client.list(after: nil, limit: 2, deadline: deadline)
            },
            await outcome { () throws(ServiceError) in
                try await client.contentCommitted(CommittedContent(key: key, content: content), deadline: deadline)
            },
            await outcome { () throws(ServiceError) in
                try await client.update(
                    id, VideoChange(title: .set("B"), description: .remove), revision: 2, command: change,
                    deadline: deadline)
            },
            await outcome { () throws(ServiceError) in
                try await client.update(
                    id, VideoChange(title: .set("C")), revision: 1, command: late,
                    deadline: deadline)
            },
            await outcome { () throws(ServiceError) in
                try await client.delete(id, revision: nil, command: delete, deadline: deadline)
            },
            await outcome { () throws(ServiceError) in try await client.find(nobody, deadline: deadline) },
        ]
    }

    private static func storage(_ client: StorageClient) async throws -> [String] {
        let (key, missing, deadline) = (try StorageKey("films/ä.mp4"), try StorageKey("none"), Samples.deadline)
        let chunk = ChunkAddress(key: key, version: try Samples.version("v1"), index: 0, chunkBytes: 4_096)
        return [
            await outcome { () throws(ServiceError) in try await client.stat(key, deadline: deadline) },
            await outcome { () throws(ServiceError) in try await client.read(chunk, deadline: deadline) },
            await outcome { () throws(ServiceError) in try await client.open(key, at: .offset(3), deadline: deadline) },
            await outcome { () throws(ServiceError) in try await client.open(key, at: .suffix(2), deadline: deadline) },
            await outcome { () throws(ServiceError) in try await client.stat(missing, deadline: deadline) },
        ]
    }

    private static func uploads(_ client: UploadClient) async throws -> [String] {
        let deadline = Samples.deadline
        let id = try #require(UploadID(String(repeating: "0f", count: 16)))
        let other = try #require(UploadID(String(repeating: "0e", count: 16)))
        let new = NewUpload(id: id, key: try StorageKey("b.mp4"), contentType: "video/mp4", size: 9)
        let block = UploadBlock(upload: id, index: 0, bytes: ByteBuffer(string: "123456789"))
        let staged = StagedBlock(index: 0, size: 9, receipt: "block-0")
        let checksum = "sha256:" + String(repeating: "0a", count: 32)
        return [
            await outcome { () throws(ServiceError) in try await client.begin(new, deadline: deadline) },
            await outcome { () throws(ServiceError) in try await client.stage(block, deadline: deadline) },
            await outcome { () throws(ServiceError) in
                try await client.commit(
                    FinishedUpload(id: id, blocks: [staged], checksum: checksum), deadline: deadline)
            },
            await outcome { () throws(ServiceError) in try await client.abort(other, deadline: deadline) },
        ]
    }

    private static func administration(_ client: StorageAdministrationClient) async throws -> [String] {
        let deadline = Samples.deadline
        return [
            await outcome { () throws(ServiceError) in
                try await client.objects(after: nil, limit: 10, deadline: deadline)
            },
            await outcome { () throws(ServiceError) in try await client.providers(deadline: deadline) },
            await outcome { () throws(ServiceError) in try await client.movesUnderWay(deadline: deadline) },
            await outcome { () throws(ServiceError) in try await client.collect(deadline: deadline) },
        ]
    }

    /// One of each event.
    static func events() throws -> [Event] {
        let (id, key, version) = (try Samples.id("a"), try StorageKey("films/ä.mp4"), try Samples.version("v1"))
        return [
            try ObjectCommitted(
                key: key, version: version, size: 9, contentType: "video/mp4", checksum: "sha256:00",
                committedAt: Date(timeIntervalSince1970: 1.5)
            ).event(),
            try ObjectDeleted(key: key, version: version).event(),
            try VideoUpdated(id: id).event(revision: 3),
            try VideoDeleted(
                id: id, videoPath: "films/ä.mp4", version: version, deletedAt: Date(timeIntervalSince1970: 2.25)
            ).event(revision: 4),
        ]
    }

    /// What an event tells, as text.
    static func read(_ event: Event) throws -> String {
        switch event.name {
        case StorageEvents.objectCommitted: "\(try ObjectCommitted(event))"
        case StorageEvents.objectDeleted: "\(try ObjectDeleted(event))"
        case MetadataEvents.videoUpdated: "\(try VideoUpdated(event))"
        case MetadataEvents.videoDeleted: "\(try VideoDeleted(event))"
        default: "unknown: \(event.name)"
        }
    }
}
