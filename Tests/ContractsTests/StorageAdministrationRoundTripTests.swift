import Domain
import Foundation
import RPC
import TestKit
import Testing

@testable import Contracts

/// Client, payloads and router of the administration of storage, without a broker.
struct StorageAdministrationRoundTripTests {
    private let service = InMemoryStorageAdministration()
    private let object: StoredObject

    init() throws {
        object = StoredObject(
            key: try StorageKey("films/mill race 视频 100%+?.mp4"), version: try Samples.version("v1.A-b_c"),
            size: 1 << 40, provider: "filesystem", location: try StorageKey("uploads/1"), contentType: "video/mp4",
            checksum: "sha256:00", committedAt: Date(timeIntervalSince1970: 1_700_000_000.987))
        let adopted = StoredObject(
            key: try StorageKey("z"), version: try Samples.version("v"), size: 0, provider: "s3",
            location: try StorageKey("z"), contentType: nil, checksum: nil,
            committedAt: Date(timeIntervalSince1970: 0))
        let objects = [object, adopted]
        service.change { $0.objects = objects }
    }

    private var client: StorageAdministrationClient {
        StorageAdministrationClient(DirectCalls(router: .storageAdministration(service)))
    }

    @Test func objectsArriveAsTheyArePageByPage() async throws {
        let all = service.now.objects
        #expect(
            try await client.objects(after: nil, limit: 10, deadline: Samples.deadline)
                == StoredObjectPage(objects: all, next: nil))
        let first = try await client.objects(after: nil, limit: 1, deadline: Samples.deadline)
        #expect(first == StoredObjectPage(objects: [object], next: object.key))
        let second = try await client.objects(after: first.next, limit: 1, deadline: Samples.deadline)
        #expect(second == StoredObjectPage(objects: [all[1]], next: nil))
    }

    @Test func providersArriveAsTheyAre() async throws {
        let providers = [
            ProviderStatus(name: "s3", isPrimary: true, problem: nil),
            ProviderStatus(name: "filesystem", isPrimary: false, problem: "it is gone"),
        ]
        service.change { $0.providers = providers }
        #expect(try await client.providers(deadline: Samples.deadline) == providers)
    }

    @Test func adoptionsArriveAsTheyAre() async throws {
        let (one, two) = (object, service.now.objects[1])
        service.change { $0.unknown = ["s3": [one, two]] }
        let first = try await client.adopt(in: "s3", after: nil, deadline: Samples.deadline)
        #expect(first == AdoptionPage(adopted: [one.key], next: "more"))
        #expect(
            try await client.adopt(in: "s3", after: first.next, deadline: Samples.deadline)
                == AdoptionPage(adopted: [two.key], next: nil))
    }

    @Test(arguments: [nil, 1, Int64.max] as [Int64?])
    func aMoveArrivesAsItIs(rate: Int64?) async throws {
        let move = ObjectMove(
            key: object.key, source: rate == nil ? nil : "filesystem", target: "s3", bytesPerSecond: rate)
        #expect(try await client.move(move, deadline: Samples.deadline) == .moved)
        #expect(service.now.moves == [move])
    }

    @Test(arguments: [0, -1, Int64.min])
    func aRateThatIsNoneIsRefused(rate: Int64) async throws {
        let move = ObjectMove(key: object.key, source: nil, target: "s3", bytesPerSecond: rate)
        let error = await failure { () throws(ServiceError) in
            try await client.move(move, deadline: Samples.deadline)
        }
        #expect(error?.code == .invalidArgument)
        #expect(service.now.moves.isEmpty)
    }

    @Test func progressArrivesAsItIs() async throws {
        let moves = try await client.movesUnderWay(deadline: Samples.deadline)
        #expect(moves.first == MoveProgress(key: object.key, bytes: 1 << 39))
    }

    @Test(arguments: VerifiedObject.Condition.allCases)
    func findingsArriveAsTheyAre(condition: VerifiedObject.Condition) async throws {
        let key = object.key
        service.change { $0.conditions = [key: condition] }
        let found = try await client.verify(key, bytesPerSecond: nil, deadline: Samples.deadline)
        #expect(
            found
                == VerifiedObject(
                    key: key, size: 1 << 40, condition: condition, detail: condition == .intact ? nil : "a detail"))
    }

    @Test func countsArriveAsTheyAre() async throws {
        let counts = try await client.collect(deadline: Samples.deadline)
        #expect(counts.abandonedUploads == 1 && counts.deletedBlobs == 2 && counts.failures == 3)
    }

    @Test(arguments: [true, false])
    func orphansArriveAsTheyAre(deletes: Bool) async throws {
        let orphans = [
            OrphanPage.Orphan(location: object.location, size: 5), .init(location: object.key, size: nil),
        ]
        service.change { $0.orphans = orphans }
        let search = OrphanSearch(provider: "s3", cursor: nil, deletes: deletes)
        #expect(
            try await client.orphans(search, deadline: Samples.deadline) == OrphanPage(orphans: orphans, next: "more"))
        #expect(service.now.searches == [search])
    }

    @Test func theNamesOnTheWireAreThese() {
        let quick = [StorageWire.objects, StorageWire.providers, StorageWire.moves]
        #expect(quick.map(\.name) == ["storage.objects.v1", "storage.providers.v1", "storage.moves.v1"])
        #expect(quick.allSatisfy { $0.queue == "millrace.storage.administration" && $0.isIdempotent })
        let slow = [
            StorageWire.adopt, StorageWire.move, StorageWire.verify, StorageWire.collect, StorageWire.orphans,
        ]
        #expect(
            slow.map(\.name) == [
                "storage.adopt.v1", "storage.move.v1", "storage.verify.v1", "storage.collect.v1", "storage.orphans.v1",
            ])
        #expect(slow.allSatisfy { $0.queue == "millrace.storage.maintenance" && !$0.isIdempotent })
        #expect(
            RPCRouter.storageAdministration(service).methodNames == (quick + slow).map(\.name).sorted())
        #expect(
            StorageWire.administrationQueues(maxConcurrentWorks: 3).map(\.maxConcurrentRequests) == [8, 3])
    }
}
