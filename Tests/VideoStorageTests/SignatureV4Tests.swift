import NIOCore
import NIOHTTP1
import Testing

@testable import VideoStorage

/// The examples of "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk" in the
/// Amazon S3 API reference, with the key that AWS uses in its documents.
@Suite struct SignatureV4Tests {
    private static let signature = SignatureV4(
        accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", region: "us-east-1")
    private static let host = "examplebucket.s3.amazonaws.com"
    private static let date = "Fri, 24 May 2013 00:00:00 GMT"

    struct Example: Sendable, CustomTestStringConvertible {
        let name: String
        let method: HTTPMethod
        let key: String
        var query: [HTTPQueryItem] = []
        var fields: [(String, String)] = []
        var body: String?
        let signature: String

        var testDescription: String { name }
    }

    @Test(arguments: [
        Example(
            name: "GET Object", method: .GET, key: "test.txt", fields: [("Range", "bytes=0-9")],
            signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        Example(
            name: "PUT Object", method: .PUT, key: "test$file.text",
            fields: [("Date", date), ("x-amz-storage-class", "REDUCED_REDUNDANCY")], body: "Welcome to Amazon S3.",
            signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
        Example(
            name: "GET Bucket Lifecycle", method: .GET, key: "", query: [HTTPQueryItem("lifecycle")],
            signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        Example(
            name: "GET Bucket (List Objects)", method: .GET, key: "",
            query: [HTTPQueryItem("prefix", "J"), HTTPQueryItem("max-keys", "2")],
            signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ])
    func publishedExamplesAreSignedAsPublished(_ example: Example) throws {
        let time = try #require(CalendarTime(httpDate: Self.date))
        let body = example.body.map { ByteBuffer(string: $0) }
        let hash = SignatureV4.hash(of: body)
        var headers = HTTPHeaders(example.fields)
        headers.add(name: "Host", value: Self.host)
        headers.add(name: "x-amz-content-sha256", value: hash)
        headers.add(name: "x-amz-date", value: time.compact)
        let call = HTTPCall(
            method: example.method, path: "/" + PercentEncoding.encode(example.key, keepsSlashes: true),
            query: example.query, headers: headers, body: body)
        let value = Self.signature.authorization(
            method: call.method, path: call.path, query: call.encodedQuery, headers: headers, payloadHash: hash,
            time: time)
        #expect(value.hasPrefix("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"))
        #expect(value.hasSuffix(",Signature=\(example.signature)"))
    }

    @Test func nothingThatIsSignedMayChange() {
        let time = CalendarTime(secondsSince1970: 1_369_353_600)
        func value(_ method: HTTPMethod = .GET, _ path: String = "/a", _ query: String = "b=1", _ range: String = "c")
            -> String
        {
            Self.signature.authorization(
                method: method, path: path, query: query, headers: ["Host": "h", "Range": range],
                payloadHash: SignatureV4.hash(of: nil), time: time)
        }
        let all = [value(), value(.PUT), value(.GET, "/A"), value(.GET, "/a", "b=2"), value(.GET, "/a", "b=1", "d")]
        #expect(Set(all).count == all.count)
    }
}
