import NIOHTTP1
import Testing

@testable import VideoStorage

@Suite struct SharedKeyTests {
    private static let date = "Fri, 26 Jun 2015 23:39:12 GMT"
    private static let account = "myaccount"
    /// 64 bytes from 0 to 63.
    private static let key =
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="

    struct Example: Sendable, CustomTestStringConvertible {
        let name: String
        let method: HTTPMethod
        let path: String
        var query: [HTTPQueryItem] = []
        var version = "2026-10-06"
        var fields: [(String, String)] = []
        let authorization: String

        var testDescription: String { name }
    }

    /// "Authorize with Shared Key" in Microsoft's REST reference shows what is signed for this request, letter by letter. (It
    /// does not show the key of its signature.)
    @Test func publishedExampleIsWrittenAsPublished() throws {
        let key = try #require(SharedKey(account: Self.account, key: Self.key))
        let text = key.textToSign(
            method: .GET, path: "/mycontainer",
            query: [
                HTTPQueryItem("comp", "metadata"), HTTPQueryItem("restype", "container"),
                HTTPQueryItem("timeout", "20"),
            ],
            headers: ["x-ms-date": Self.date, "x-ms-version": "2015-02-21"])
        #expect(
            text == "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n"
                + "/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20")
    }

    /// What Microsoft's Python library azure-storage-blob 12.31.1 (`SharedKeyCredentialPolicy`) writes for the same requests.
    @Test(arguments: [
        Example(
            name: "the published one", method: .GET, path: "/mycontainer",
            query: [
                HTTPQueryItem("restype", "container"), HTTPQueryItem("comp", "metadata"),
                HTTPQueryItem("timeout", "20"),
            ], version: "2015-02-21", authorization: "ZfuQJIowrCGKlm/KTSTcA7Tx12MxVvDi2ryOPQQw7Gw="),
        Example(
            name: "Get Blob", method: .GET, path: "/videos/a%20b/%C3%BC%2B%25%3F.mp4",
            fields: [
                ("x-ms-range", "bytes=0-99"), ("x-ms-range-get-content-md5", "true"), ("If-Match", "\"0x8D1\""),
            ], authorization: "CBWXJCEcBwnlIZ1qJuQYLFbfy81PX6OI6B4b2gtSAEA="),
        Example(
            name: "Put Block", method: .PUT, path: "/videos/film",
            query: [HTTPQueryItem("comp", "block"), HTTPQueryItem("blockid", "AAAAAAAQAAAA+fHx8fHx8fHx==")],
            fields: [("Content-Length", "1048576"), ("Content-MD5", "Q2hlY2sgSW50ZWdyaXR5IQ==")],
            authorization: "yDT5SPelB/MDN1DHtQ+28HifudQwdS/28b+vyd1CEE8="),
        Example(
            name: "Put Block List", method: .PUT, path: "/videos/film", query: [HTTPQueryItem("comp", "blocklist")],
            fields: [
                ("Content-Length", "57"), ("Content-Type", "application/xml"), ("If-None-Match", "*"),
                ("x-ms-blob-content-type", "video/mp4"),
            ], authorization: "hFyPGp5QnH4U9+lnTG/h/dn/3PQrCXKiS2PqAA1zIQQ="),
        Example(
            name: "Put Blob without bytes", method: .PUT, path: "/videos/film",
            fields: [("If-None-Match", "*"), ("x-ms-blob-type", "BlockBlob")],
            authorization: "AMvlZoK/SaYrQ65jssmyouxL80uWGYb0r5dY9o+4ZXc="),
        Example(
            name: "List Blobs of an emulator", method: .GET, path: "/myaccount/videos",
            query: [
                HTTPQueryItem("restype", "container"), HTTPQueryItem("comp", "list"),
                HTTPQueryItem("include", "uncommittedblobs"), HTTPQueryItem("marker", "a b/c&d"),
                HTTPQueryItem("maxresults", "10"),
            ], authorization: "isf9f7CNZyZ6D4L50TYTPpMomz+hIgI7jMrE/TsUv8s="),
    ])
    func requestsAreSignedAsMicrosoftSignsThem(_ example: Example) throws {
        let key = try #require(SharedKey(account: Self.account, key: Self.key))
        var headers = HTTPHeaders(example.fields)
        headers.add(name: "x-ms-date", value: Self.date)
        headers.add(name: "x-ms-version", value: example.version)
        let text = key.textToSign(method: example.method, path: example.path, query: example.query, headers: headers)
        #expect(key.authorization(for: text) == "SharedKey myaccount:\(example.authorization)")
    }

    @Test(arguments: ["", "not base64!", "AAE"])
    func keyThatIsNoBase64IsRefused(_ text: String) {
        #expect(SharedKey(account: Self.account, key: text) == nil)
    }
}
