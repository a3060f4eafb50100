import Domain
import NIOCore
import NIOHTTP1
import TestKit
import Testing

@testable import VideoStorage

/// What services answer, and how it is read.
@Suite struct ServiceAnswerTests {
    private func read(_ text: String) -> XMLElement? {
        try? XMLReader.read(ByteBuffer(string: text))
    }

    @Test func elementsTextAndEntitiesAreRead() {
        let document = read(
            "\u{FEFF}<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- a > b --><List xmlns=\"http://x/\" n='>'>\n"
                + "<Key>a &lt;b&gt; &amp; &#x1F3AC; &#252; &quot;&apos;</Key><Empty/><s:Key a=\"1\"><![CDATA[<&>]]></s:Key >"
                + "</List>\n")
        #expect(document?.name == "List")
        #expect(document?.all("Key").map(\.text) == ["a <b> & 🎬 ü \"'", "<&>"])
        #expect(document?["Empty"] == XMLElement(name: "Empty"))
        #expect(document?["Nothing"] == nil)
    }

    @Test(arguments: [
        "", "text", "<a>", "<a></b>", "<a/><b/>", "<a>&unknown;</a>", "<a>&#xD800;</a>", "<a>&amp</a>", "<a", "<a b=\"",
        "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "<a><![CDATA[</a>", "< a/>", "<a/>x",
        String(repeating: "<a>", count: 33) + String(repeating: "</a>", count: 33),
    ])
    func whatIsNotWellFormedIsRefused(_ text: String) {
        #expect(read(text) == nil)
    }

    @Test func damagedDocumentsNeverCrash() {
        var random = SeededRandom(seed: 7)
        let whole = Array("<L><K>a&amp;b</K><!-- c --><D x=\"y\"><![CDATA[z]]></D></L>".utf8)
        for _ in 0..<20_000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            _ = try? XMLReader.read(ByteBuffer(bytes: bytes.prefix(Int.random(in: 0...bytes.count, using: &random))))
        }
    }

    @Test(arguments: ["\"0x8DCB2A\"", "\"d41d8cd98f00b204e9800998ecf8427e-12\"", "\"a_b~c d/e+f\"", "\"ü\""])
    func entityTagsBecomeValidatorsAndComeBack(_ tag: String) throws {
        let validator = try #require(EntityTag.validator(of: tag))
        #expect(EntityTag.tag(of: validator) == tag)
        #expect(EntityTag.validator(of: String(tag.dropFirst().dropLast())) == validator)
    }

    @Test func tagsThatPromiseNothingOrBreakTheHeaderAreRefused() throws {
        #expect(EntityTag.validator(of: "W/\"1\"") == nil)
        #expect(EntityTag.validator(of: "\"\"") == nil)
        #expect(EntityTag.validator(of: "\"" + String(repeating: "a", count: 97) + "\"") == nil)
        for text in ["_0D_0A", "_22", "_", "_4", "_ZZ"] {
            #expect(EntityTag.tag(of: try #require(BlobValidator(text))) == nil, "\(text)")
        }
    }

    @Test func timesAreReadAndWrittenInEachForm() throws {
        let time = CalendarTime(secondsSince1970: 784_111_777)
        #expect(time.httpDate == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(time.compact == "19941106T084937Z")
        #expect(CalendarTime(httpDate: time.httpDate) == time)
        #expect(CalendarTime(iso8601: "1994-11-06T08:49:37Z") == time)
        #expect(CalendarTime(iso8601: "1994-11-06T08:49:37.250Z")?.seconds == 784_111_777.25)
        #expect(CalendarTime(httpDate: "Thu, 29 Feb 2024 00:00:00 GMT")?.seconds == 1_709_164_800)
        for text in ["", "1994-11-06", "1994-11-06T08:49:37", "1994-13-06T08:49:37Z", "x-11-06T08:49:37Z"] {
            #expect(CalendarTime(iso8601: text) == nil)
        }
        for text in ["", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Now 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT"]
        {
            #expect(CalendarTime(httpDate: text) == nil)
        }
    }

    @Test func contentRangesAreReadStrictly() {
        #expect(ContentRange("bytes 0-99/1234").map { [$0.first, $0.last, $0.size] } == [0, 99, 1_234])
        for text in [
            "bytes */10", "bytes 0-9/*", "bytes 5-4/10", "bytes 0-10/10", "0-9/10", "bytes 0-9", "bytes -1-9/10",
        ] {
            #expect(ContentRange(text) == nil, "\(text)")
        }
    }

    @Test func endpointsAreReadStrictly() throws {
        let emulator = try ServiceEndpoint("http://127.0.0.1:10000/devstoreaccount1/")
        #expect(emulator.host == "127.0.0.1:10000")
        #expect(emulator.basePath == "/devstoreaccount1")
        let usual = try ServiceEndpoint("HTTPS://S3.EU-central-1.amazonaws.com:443")
        #expect(usual.address("/a%20b", query: "x=1") == "https://s3.eu-central-1.amazonaws.com/a%20b?x=1")
        #expect(usual.withSubdomain("bucket").host == "bucket.s3.eu-central-1.amazonaws.com")
        for text in [
            "", "host", "ftp://host", "http://", "http://host:0", "http://host:x", "http://u@host", "http://h/?a",
        ] {
            #expect(throws: ServiceError.self) { try ServiceEndpoint(text) }
        }
    }

    @Test func namesAreEncodedByteByByte() {
        #expect(PercentEncoding.encode("a b/ü+%?~.mp4", keepsSlashes: true) == "a%20b/%C3%BC%2B%25%3F~.mp4")
        #expect(PercentEncoding.encode("a/b=&") == "a%2Fb%3D%26")
    }

    @Test(arguments: [
        (S3Configuration.Addressing.path, "h:9000", "/base/videos/a%20b", "/base/videos"),
        (.virtual, "videos.h:9000", "/base/a%20b", "/base"),
    ])
    func bucketsAreNamedInThePathOrInTheHost(
        _ addressing: S3Configuration.Addressing, _ host: String, _ path: String, _ own: String
    ) async throws {
        let configuration = try S3Configuration(
            endpoint: try ServiceEndpoint("http://h:9000/base"), region: "r", bucket: "videos", accessKey: "a",
            secretKey: "s", addressing: addressing)
        let connections = ServiceConnections(maxConnections: 1)
        let bucket = S3Bucket(configuration, connections: connections, logger: CollectingLog().logger)
        #expect(bucket.endpoint.host == host)
        #expect(bucket.path(of: try StorageKey("a b")) == path)
        #expect(bucket.path(of: nil) == own)
        await connections.shutdown()
    }

    private func reply(_ status: Int, _ headers: HTTPHeaders, _ body: String = "") -> HTTPReply {
        HTTPReply(status: status, headers: headers, body: ByteBuffer(string: body))
    }

    /// An answer to `bytes=2-4` of "0123456789".
    @Test func answerWithOtherBytesThanWereAskedForIsRefused() throws {
        let range = try #require(ByteRange(first: 2, last: 4))
        let key = try StorageKey("film")
        let validator = try #require(BlobValidator("1"))
        func result(_ status: Int, _ range: ByteRange, _ content: String, _ tag: String, _ body: String) -> Result<
            String, ServiceError
        > {
            Result { () throws(ServiceError) in
                let reply = reply(status, ["Content-Range": content, "ETag": tag], body)
                return String(buffer: try reply.bytes(of: range, validator: validator, key).bytes)
            }
        }
        func code(_ result: Result<String, ServiceError>) -> ServiceError.Code? {
            if case .failure(let error) = result { error.code } else { nil }
        }
        #expect(result(206, range, "bytes 2-4/10", "\"1\"", "234") == .success("234"))
        #expect(result(206, range, "bytes 2-3/4", "\"1\"", "23") == .success("23"))
        #expect(code(result(200, range, "bytes 2-4/10", "\"1\"", "234")) == .corrupt)
        #expect(code(result(206, range, "bytes 2-4/10", "\"2\"", "234")) == .conflict)
        #expect(code(result(206, range, "bytes 2-4/10", "\"1\"", "23")) == .corrupt)
        #expect(code(result(206, range, "bytes 2-3/10", "\"1\"", "23")) == .corrupt)
        #expect(code(result(206, range, "bytes 1-3/10", "\"1\"", "123")) == .corrupt)
    }

    @Test(arguments: [
        (404, "NoSuchKey", ServiceError.Code.notFound), (404, "", .notFound), (404, "NoSuchUpload", .notFound),
        (404, "NoSuchBucket", .unavailable), (412, "PreconditionFailed", .conflict),
        (416, "InvalidRange", .invalidArgument),
        (400, "InvalidPart", .invalidArgument), (400, "EntityTooLarge", .tooLarge), (400, "BadDigest", .corrupt),
        (503, "SlowDown", .overloaded), (429, "", .overloaded), (500, "InternalError", .unavailable),
        (200, "InternalError", .unavailable), (502, "", .unavailable), (400, "RequestTimeout", .unavailable),
        (403, "SignatureDoesNotMatch", .internal), (301, "PermanentRedirect", .internal),
    ])
    func errorsOfS3BecomeCodes(_ status: Int, _ code: String, _ expected: ServiceError.Code) throws {
        let body = code.isEmpty ? "" : "<Error><Code>\(code)</Code><Message>secret</Message></Error>"
        let error = S3Failure(reply(status, [:], body)).serviceError(try StorageKey("film"), bucket: "videos")
        #expect(error.code == expected)
        #expect(!error.message.contains("secret"))
    }

    @Test(arguments: [
        (404, "BlobNotFound", ServiceError.Code.notFound), (404, "ContainerNotFound", .unavailable),
        (412, "ConditionNotMet", .conflict), (416, "InvalidRange", .invalidArgument),
        (400, "InvalidBlockList", .invalidArgument), (413, "RequestBodyTooLarge", .tooLarge),
        (400, "Md5Mismatch", .corrupt), (503, "ServerBusy", .overloaded), (429, "", .overloaded),
        (500, "InternalError", .unavailable), (500, "OperationTimedOut", .unavailable),
        (409, "BlobAlreadyExists", .conflict),
        (403, "AuthenticationFailed", .internal),
    ])
    func errorsOfAzureBecomeCodes(_ status: Int, _ code: String, _ expected: ServiceError.Code) throws {
        let key = try StorageKey("film")
        let inBody = reply(status, [:], "<Error><Code>\(code)</Code><Message>secret</Message></Error>")
        #expect(AzureFailure(inBody).serviceError(key, container: "videos").code == expected)
        let inField = reply(status, code.isEmpty ? [:] : ["x-ms-error-code": code])
        #expect(AzureFailure(inField).serviceError(key, container: "videos").code == expected)
    }
}
