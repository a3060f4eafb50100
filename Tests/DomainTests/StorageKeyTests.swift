import Domain
import Testing

struct StorageKeyTests {
    @Test(arguments: [
        "a", "film.mp4", "a/b/c.mp4", "with blank.mp4", "100%.mp4", "a+b?c#d.mp4", "ümlaut/视频.mp4", "...", "..a", "a..",
        ".hidden", "a/...", "~", "C:", "e\u{301}.mp4", String(repeating: "k", count: StorageKey.maxBytes),
    ])
    func anOrdinaryPathIsAKey(text: String) throws {
        #expect(try StorageKey(text).description == text)
    }

    @Test(arguments: [
        "", "/", "/etc/passwd", "..", ".", "../x", "a/..", "a/../b", "a/./b", "./a", "a//b", "a/", "a\u{0}b", "a\nb",
        "\u{7F}", "a\\b", "..\\x", String(repeating: "k", count: StorageKey.maxBytes + 1),
        // A slash and a combining mark are one Character, but two code points to a file system.
        "../\u{301}x", "a/../\u{301}b", "..\u{2F}\u{200D}x", "a/\u{301}/..", "/\u{301}",
    ])
    func aPathThatCouldLeadElsewhereIsRefused(text: String) {
        #expect {
            try StorageKey(text)
        } throws: { error in
            (error as? ServiceError)?.code == .invalidArgument
        }
    }

    @Test func thePartsStandBetweenTheSlashes() throws {
        #expect(try StorageKey("a/b c/d.mp4").parts == ["a", "b c", "d.mp4"])
        #expect(try StorageKey("a/\u{301}b").parts.count == 2)
        #expect(try StorageKey("a").parts == ["a"])
    }
}
