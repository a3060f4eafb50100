import Crypto
import Domain
import Foundation
import HTTPTypes
import NIOCore
import Testing

@testable import VideoStreaming

/// What a request that writes says in its head and in its JSON.
struct WriteRequestParsingTests {
    private static let digest = Array(SHA256.hash(data: Data("123456789".utf8)))
    private static let base64 = Data(digest).base64EncodedString()
    private static let hexadecimal = digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()

    private func fields(_ pairs: [(String, String)]) throws -> HTTPFields {
        var fields = HTTPFields()
        for (name, value) in pairs { fields.append(HTTPField(name: try #require(HTTPField.Name(name)), value: value)) }
        return fields
    }

    @Test(arguments: [
        [("Content-Digest", "sha-256=:\(base64):")], [("content-digest", "SHA-256=:\(base64): ")],
        [("Content-Digest", "sha-512=:AAAA:, sha-256=:\(base64):")],
        [("Content-Digest", "sha-512=:AAAA:"), ("Content-Digest", "sha-256=:\(base64):")],
        [("x-checksum-sha256", hexadecimal)], [("X-Checksum-SHA256", hexadecimal.uppercased())],
        [("x-checksum-sha256", base64)],
        [("Content-Digest", "sha-256=:\(base64):"), ("x-checksum-sha256", hexadecimal)],
    ])
    func aDigestIsRead(_ pairs: [(String, String)]) throws {
        let read = try ContentDigest.of(fields(pairs))
        #expect(read?.bytes == Self.digest)
        #expect(read?.checksum == "sha256:\(Self.hexadecimal)")
    }

    @Test(arguments: [
        [], [("Content-Digest", "sha-512=:AAAA:")], [("Content-Digest", "md5=:AAAA:")], [("Content-Digest", "")],
    ])
    func whereThereIsNoneThatIsKnownThereIsNone(_ pairs: [(String, String)]) throws {
        #expect(try ContentDigest.of(fields(pairs)) == nil)
    }

    @Test(arguments: [
        [("Content-Digest", "sha-256")], [("Content-Digest", "sha-256=")], [("Content-Digest", "sha-256=::")],
        [("Content-Digest", "sha-256=:AAAA:")], [("Content-Digest", "sha-256=\(base64)")],
        [("Content-Digest", "sha-256=:\(base64)")], [("Content-Digest", "sha-256=:\(base64)!:")],
        [("x-checksum-sha256", "")], [("x-checksum-sha256", "abc")], [("x-checksum-sha256", "\(hexadecimal)0")],
        [("x-checksum-sha256", "sha256:\(hexadecimal)")],
        [
            ("Content-Digest", "sha-256=:\(base64):"),
            ("x-checksum-sha256", String(repeating: "0", count: 64)),
        ],
    ])
    func aDigestThatIsMalformedIsRefused(_ pairs: [(String, String)]) throws {
        let fields = try fields(pairs)
        let error = #expect(throws: ServiceError.self) { try ContentDigest.of(fields) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func onlyTheTokenOpens() throws {
        let access = WriteAccess(token: "0123456789abcdef")
        for good in ["Bearer 0123456789abcdef", "bearer 0123456789abcdef", "BEARER   0123456789abcdef"] {
            let fields = try fields([("Authorization", good)])
            #expect(throws: Never.self) { try access.check(fields) }
        }
        for bad in [
            "", "Bearer", "Bearer ", "0123456789abcdef", "Basic 0123456789abcdef", "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0", "Bearer 0123456789ABCDEF", "Bearer 0123456789abcdef x",
        ] {
            let fields = try fields([("Authorization", bad)])
            let error = #expect(throws: ServiceError.self) { try access.check(fields) }
            #expect(error?.code == .unauthenticated, "\(bad)")
        }
        let none = #expect(throws: ServiceError.self) { try access.check(HTTPFields()) }
        #expect(none?.code == .unauthenticated)
    }

    @Test func withoutATokenNobodyMayWrite() throws {
        let fields = try fields([("Authorization", "Bearer ")])
        let error = #expect(throws: ServiceError.self) { try WriteAccess(token: nil).check(fields) }
        #expect(error?.code == .permissionDenied)
        #expect(error?.message.contains("WRITE_TOKEN") == true)
    }

    @Test func aTokenHasAForm() {
        #expect(WriteAccess.isToken("0123456789abcdef"))
        for bad in ["", "0123456789abcde", "0123456789 abcdef", "0123456789abcdéf", "0123456789abcdef\n"] {
            #expect(!WriteAccess.isToken(bad))
        }
    }

    private func read(_ text: String, mayNameID: Bool = true) throws(ServiceError) -> VideoFields {
        try VideoFields(ByteBuffer(string: text), mayNameID: mayNameID)
    }

    @Test func fieldsAreRead() throws {
        let id = String(repeating: "a", count: 24)
        let read = try read(#"{"id":"\#(id)","title":"A 🎬","description":null}"#)
        #expect(read.id?.description == id)
        #expect(read.change == VideoChange(title: .set("A 🎬"), description: .remove))
        #expect(try self.read("").change == VideoChange())
        #expect(try self.read(#"{"id":null}"#).id == nil)
    }

    @Test(arguments: [
        (#"{"title":1}"#, "title"), (#"{"title":["a"]}"#, "title"), (#"{"contentType":{}}"#, "contentType"),
        (#"{"videoPath":"a"}"#, "videoPath"), (#"{"state":"ready"}"#, "state"), (#"{"id":"x"}"#, "id"),
        (#"{"id":5}"#, "id"), ("[]", "JSON"), ("null", "JSON"), ("{", "JSON"), ("\u{0}", "JSON"), ("\"a\"", "JSON"),
        (String(repeating: "[", count: 100_000), "JSON"),
    ])
    func whatIsWrongIsNamed(_ text: String, _ word: String) {
        let error = #expect(throws: ServiceError.self) { try read(text) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains(word) == true)
    }

    @Test func anIdCannotBeChanged() {
        let id = String(repeating: "a", count: 24)
        let error = #expect(throws: ServiceError.self) { try read(#"{"id":"\#(id)"}"#, mayNameID: false) }
        #expect(error?.message.contains("\"id\"") == true)
    }

    @Test(
        arguments: [
            ("video/mp4", "video/mp4"), ("application/octet-stream", nil), ("application/x-www-form-urlencoded", nil),
            ("nonsense", nil), (nil, nil), ("video/mp4; codecs=\"avc1\"", "video/mp4; codecs=\"avc1\""),
        ] as [(String?, String?)])
    func onlyATypeThatSaysSomethingIsKept(given: String?, kept: String?) {
        #expect(MediaType.given(given) == kept)
    }
}
