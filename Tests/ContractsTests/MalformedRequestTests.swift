import Contracts
import Domain
import RPC
import TestKit
import Testing

/// JSON that a caller of another make may send: refused with the name of the member, in few words, nothing repeated.
struct MalformedRequestTests {
    private static let digits = "5d9e690ad76fe06a3d7ae416"
    private let calls: DirectCalls

    init() {
        var router = RPCRouter.metadata(InMemoryMetadata())
        let storage = DirectCalls(router: .storage(InMemoryStorage()))
        router.on(StorageWire.stat) { (payload, context) throws(ServiceError) in
            try await storage.call(StorageWire.stat, payload, deadline: context.deadline)
        }
        calls = DirectCalls(router: router)
    }

    private func fault(_ method: RPCMethod, _ body: String) async -> ServiceError? {
        await failure { () throws(ServiceError) in
            try await calls.call(method, Samples.json(body), deadline: Samples.deadline)
        }
    }

    @Test(arguments: [
        (MetadataWire.find, #"{}"#, "the member id is missing"),
        (MetadataWire.find, #"{"id":null}"#, "the member id is"),
        (MetadataWire.find, #"{"id":7}"#, "the member id is not a String"),
        (MetadataWire.find, #"{"id":{"$oid":"5d9e690ad76fe06a3d7ae416"}}"#, "the member id is not a String"),
        (MetadataWire.find, #"{"id":"secret-value"}"#, "the member id"),
        (MetadataWire.list, #"{}"#, "the member limit is missing"),
        (MetadataWire.list, #"{"limit":"10"}"#, "the member limit is not a"),
        (MetadataWire.list, #"{"limit":1.5}"#, "a number that does not fit"),
        (MetadataWire.list, #"{"limit":99999999999999999999}"#, "a number that does not fit"),
        (MetadataWire.list, #"{"limit":1,"after":"secret-value"}"#, "the member after"),
        (MetadataWire.create, #"{"title":"x"}"#, "the member videoPath is missing"),
        (MetadataWire.create, #"{"videoPath":["a.mp4"]}"#, "the member videoPath is not a String"),
        (MetadataWire.create, #"{"videoPath":"a.mp4","title":{}}"#, "the member title is not a String"),
        (MetadataWire.create, #"{"videoPath":"a.mp4","id":"secret-value"}"#, "the member id"),
        (MetadataWire.update, #"{}"#, "the member id is missing"),
        (MetadataWire.update, #"{"id":"\#(digits)","set":{},"remove":[]}"#, "the member command is missing"),
        (MetadataWire.update, #"{"id":"\#(digits)","command":"c","remove":[]}"#, "the member set is missing"),
        (
            MetadataWire.update, #"{"id":"\#(digits)","command":"c","set":{"title":1},"remove":[]}"#,
            "the member set.title is not a String"
        ),
        (
            MetadataWire.update, #"{"id":"\#(digits)","command":"c","set":{},"remove":["videoPath"]}"#,
            "remove names a field"
        ),
        (MetadataWire.update, #"{"id":"\#(digits)","command":"c d","set":{},"remove":[]}"#, "no command id"),
        (MetadataWire.delete, #"{"id":"\#(digits)","command":""}"#, "no command id"),
        (MetadataWire.delete, #"{"id":"\#(digits)","command":"c","revision":"1"}"#, "the member revision is not"),
        (MetadataWire.contentCommitted, #"{"key":"a"}"#, "the member content is missing"),
        (
            MetadataWire.contentCommitted,
            #"{"key":"../a","content":{"version":"v1","size":1,"committedAtMilliseconds":0}}"#, "videoPath"
        ),
        (
            MetadataWire.contentCommitted,
            #"{"key":"a","content":{"version":"v 1","size":1,"committedAtMilliseconds":0}}"#, "member content has"
        ),
        (
            MetadataWire.contentCommitted,
            #"{"key":"a","content":{"version":"v1","size":-1,"committedAtMilliseconds":0}}"#, "member content has"
        ),
        (StorageWire.stat, #"{}"#, "the member key is missing"),
        (StorageWire.stat, #"{"key":false}"#, "the member key is not a String"),
    ])
    func theMemberThatIsWrongIsNamed(_ method: RPCMethod, _ body: String, _ words: String) async throws {
        let error = try #require(await fault(method, body))
        #expect(error.code == .invalidArgument)
        #expect(error.message.contains(words), "\(error.message)")
        #expect(!error.message.contains("secret-value"))
        #expect(!error.message.contains(".id"), "no path begins with a point")
    }

    @Test(arguments: [
        "", " ", "{", "}", "null", "7", "\"text\"", "[]", "[{}]", "{\"id\"", "{\"id\":\"5d9e690ad76fe06a3d7ae416\"",
        "{\"id\":\"\\ud800\"}", "{'id':1}", "\u{0}", "nul", "{\"limit\":1}{\"limit\":1}",
        String(repeating: "[", count: 100_000), String(repeating: "{\"a\":", count: 100_000),
    ])
    func whatIsNotTheJSONThatWasExpectedIsRefused(_ body: String) async throws {
        for method in [MetadataWire.find, MetadataWire.list, MetadataWire.create, StorageWire.stat] {
            let error = try #require(await fault(method, body))
            #expect(error.code == .invalidArgument)
            #expect(error.message.utf8.count < 200)
        }
    }

    @Test func aLongValueIsNotRepeated() async throws {
        let digits = String(repeating: "9", count: 10_000)
        let marks = "a" + String(repeating: "\u{301}", count: 100_000)
        for body in ["{\"limit\":\(digits)}", "{\"limit\":1,\"after\":\"\(marks)\"}"] {
            let error = try #require(await fault(MetadataWire.list, body))
            #expect(error.code == .invalidArgument)
            #expect(error.message.utf8.count < 200)
        }
    }

    @Test func membersThatAreNotKnownAreIgnored() async {
        let id = "5d9e690ad76fe06a3d7ae416"
        #expect(await fault(MetadataWire.find, #"{"id":"\#(id)","from":{"a":[1,{}]}}"#)?.code == .notFound)
        #expect(await fault(MetadataWire.list, #"{"limit":1,"text":"mill","sort":-1}"#) == nil)
        #expect(await fault(MetadataWire.create, #"{"videoPath":"a.mp4","tags":["a"]}"#) == nil)
        #expect(await fault(StorageWire.stat, #"{"key":"a.mp4","provider":"s3"}"#)?.code == .notFound)
    }

    @Test func aMethodThatIsNotKnownIsUnimplemented() async {
        let next = RPCMethod("metadata.find.v2", queue: MetadataWire.queryQueue, isIdempotent: true)
        #expect(await fault(next, "{}")?.code == .unimplemented)
    }
}
