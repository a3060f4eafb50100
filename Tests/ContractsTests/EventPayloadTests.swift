import Contracts
import Domain
import Foundation
import RPC
import Testing

/// What the services tell each other, and how it stands on the wire. Queues keep events over an upgrade: a name that changes
/// here is not understood by whoever is upgraded later.
struct EventPayloadTests {
    private func committed() throws -> ObjectCommitted {
        ObjectCommitted(
            key: try StorageKey("videos/ä.mp4"), version: try Samples.version("v1"), size: 9, contentType: "video/mp4",
            checksum: "sha256:00", committedAt: Date(timeIntervalSince1970: 1.5))
    }

    @Test func eventsArriveAsTheyAre() throws {
        let committed = try committed()
        #expect(try ObjectCommitted(committed.event()) == committed)
        let plain = ObjectCommitted(
            key: committed.key, version: committed.version, size: 0, contentType: nil, checksum: nil,
            committedAt: committed.committedAt)
        #expect(try ObjectCommitted(plain.event()) == plain)
        let deleted = ObjectDeleted(key: committed.key, version: committed.version)
        #expect(try ObjectDeleted(deleted.event()) == deleted)
        let updated = VideoUpdated(id: try Samples.id("a"))
        #expect(try VideoUpdated(updated.event(revision: 3)) == updated)
        let gone = VideoDeleted(id: try Samples.id("a"), videoPath: "videos/a")
        #expect(try VideoDeleted(gone.event(revision: 4)) == gone)
        let exact = VideoDeleted(
            id: gone.id, videoPath: "videos/a", version: committed.version,
            deletedAt: Date(timeIntervalSince1970: 2.25))
        #expect(try VideoDeleted(exact.event(revision: 4)) == exact)
        #expect(try VideoDeleted(exact.keepingBytes.event(id: "1")) == VideoDeleted(id: gone.id, videoPath: nil))
    }

    @Test func namesAndMembersAreWhatTheyWere() throws {
        let committed = try committed().event()
        #expect(committed.name == "storage.object.committed" && committed.id == "storage.object.committed/v1")
        #expect(
            try Samples.sorted(committed.payload) == #"""
                {"checksum":"sha256:00","committedAtMilliseconds":1500,"contentType":"video/mp4",\#
                "key":"videos/ä.mp4","size":9,"version":"v1"}
                """#)
        let deleted = try ObjectDeleted(key: StorageKey("a"), version: Samples.version("v1")).event()
        #expect(deleted.name == "storage.object.deleted" && deleted.id == "storage.object.deleted/v1")
        #expect(try Samples.sorted(deleted.payload) == #"{"key":"a","version":"v1"}"#)
        let id = String(repeating: "a", count: 24)
        let updated = try VideoUpdated(id: Samples.id("a")).event(revision: 3)
        #expect(updated.name == "metadata.video.updated" && updated.id == "metadata.video.updated/\(id)/3")
        #expect(try Samples.sorted(updated.payload) == #"{"id":"\#(id)"}"#)
        let gone = try VideoDeleted(id: Samples.id("a"), videoPath: "../a").event(revision: 4)
        #expect(gone.name == "metadata.video.deleted" && gone.id == "metadata.video.deleted/\(id)/4")
        #expect(try Samples.sorted(gone.payload) == #"{"id":"\#(id)","videoPath":"../a"}"#)
        let exact = try VideoDeleted(
            id: Samples.id("a"), videoPath: "b", version: Samples.version("v1"),
            deletedAt: Date(timeIntervalSince1970: 1.5)
        ).event(revision: 4)
        #expect(
            try Samples.sorted(exact.payload)
                == #"{"deletedAtMilliseconds":1500,"id":"\#(id)","version":"v1","videoPath":"b"}"#)
        #expect(StorageEvents.queue == "millrace.storage.events" && MetadataEvents.queue == "millrace.metadata.events")
        #expect(StorageEvents.patterns == ["metadata.video.deleted"])
        #expect(MetadataEvents.patterns == ["storage.object.committed"])
    }

    @Test func whatIsStoredIsTheEvent() throws {
        let event = try committed().event()
        #expect(StoredEvent(event).event == event)
    }

    @Test(arguments: [
        "", "{}", "[]", #"{"key":"../a","version":"v1","size":1,"committedAtMilliseconds":0}"#,
        #"{"key":"a","version":"v 1","size":1,"committedAtMilliseconds":0}"#,
        #"{"key":"a","version":"v1","size":-1,"committedAtMilliseconds":0}"#,
        #"{"key":"a","version":"v1","size":1}"#,
    ])
    func whatIsNoEventIsRefused(_ body: String) async {
        let event = Event(id: "1", name: StorageEvents.objectCommitted, payload: Samples.json(body))
        #expect(await failure { () throws(ServiceError) in try ObjectCommitted(event) }?.code == .invalidArgument)
        #expect(await failure { () throws(ServiceError) in try VideoDeleted(event) }?.code == .invalidArgument)
        #expect(await failure { () throws(ServiceError) in try VideoUpdated(event) }?.code == .invalidArgument)
    }
}
