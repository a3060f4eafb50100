import Domain
import Testing

@testable import VideoStreaming

struct ContentDispositionTests {
    @Test(
        arguments: [
            // The title, with the extension that the key has.
            ("Mill race", "films/a.mp4", "inline; filename=\"Mill race.mp4\""),
            ("Mill race.MP4", "films/a.mp4", "inline; filename=\"Mill race.MP4\""),
            ("Mill race", "videos/5d9e690ad76fe06a3d7ae416", "inline; filename=\"Mill race\""),
            // Without a title, the key's last part.
            (nil, "films/mill race.mp4", "inline; filename=\"mill race.mp4\""),
            ("", "films/a.mp4", "inline; filename=\"a.mp4\""),
            // More than ASCII: once for everybody, once as it is (RFC 8187).
            ("Mühle", "a.mp4", "inline; filename=\"M_hle.mp4\"; filename*=UTF-8''M%C3%BChle.mp4"),
            ("视频", "a.mp4", "inline; filename=\"__.mp4\"; filename*=UTF-8''%E8%A7%86%E9%A2%91.mp4"),
            ("🎬", "a.mp4", "inline; filename=\"_.mp4\"; filename*=UTF-8''%F0%9F%8E%AC.mp4"),
            // What a quoted string, a file system or a header field cannot have.
            ("say \"no\"", "a.mp4", "inline; filename=\"say _no_.mp4\"; filename*=UTF-8''say%20%22no%22.mp4"),
            ("100%", "a.mp4", "inline; filename=\"100_.mp4\"; filename*=UTF-8''100%25.mp4"),
            ("a\r\nSet-Cookie: x", "a.mp4", "inline; filename=\"aSet-Cookie: x.mp4\""),
            ("../../etc/passwd", "a.mp4", "inline; filename=\"_.._etc_passwd.mp4\""),
            ("exe\u{202E}4pm.", "a.mp4", "inline; filename=\"exe4pm..mp4\""),
            ("...", "a.mp4", "inline; filename=\"a.mp4\""),
        ] as [(String?, String, String)])
    func aNameIsWhatEveryClientCanRead(title: String?, key: String, value: String) throws {
        #expect(ContentDisposition.inline(title: title, key: try StorageKey(key)) == value)
    }

    @Test func aLongTitleIsCutBetweenCharacters() throws {
        let value = ContentDisposition.inline(
            title: String(repeating: "ü", count: 1_000), key: try StorageKey("a.mp4"))
        #expect(value.hasSuffix("%C3%BC.mp4"))
        #expect(value.utf8.count < 1_000)
    }

    @Test func whateverTheTitleIsTheValueIsOneLineOfASCII() throws {
        let key = try StorageKey("a.mp4")
        for scalar in (0..<0x3000).compactMap(Unicode.Scalar.init) {
            let value = ContentDisposition.inline(title: "a\(scalar)b", key: key)
            #expect(value.utf8.allSatisfy { (0x20...0x7E).contains($0) })
        }
    }
}
