import Testing

@testable import MillraceCLI

/// Titles and paths come from whoever wrote the record; a terminal is not to obey them.
struct TerminalTextTests {
    @Test(arguments: ["", "Mill race", "ümlaut 视频 🎬", "e\u{301}", "👨‍👩‍👧", "a\u{A0}b", "السباق"])
    func ordinaryTextStaysAsItIs(_ text: String) {
        #expect(text.printable == text)
    }

    @Test(arguments: [
        ("\u{1B}[2J", "\u{FFFD}[2J"), ("\u{9B}2J", "\u{FFFD}2J"), ("a\nb\r\tc", "a\u{FFFD}b\u{FFFD}\u{FFFD}c"),
        ("a\r\nb", "a\u{FFFD}\u{FFFD}b"), ("\u{0}\u{7F}\u{8}", "\u{FFFD}\u{FFFD}\u{FFFD}"),
        ("\u{1B}\u{301}]0;x\u{7}", "\u{FFFD}\u{301}]0;x\u{FFFD}"), ("a\u{2028}b\u{2029}c", "a\u{FFFD}b\u{FFFD}c"),
        ("film\u{202E}4pm.exe", "film\u{FFFD}4pm.exe"), ("\u{2066}a\u{2069}", "\u{FFFD}a\u{FFFD}"),
    ])
    func whatCouldSteerATerminalIsReplaced(_ text: String, _ expected: String) {
        // Scalar by scalar: to `String` a mark and what it stands on are one.
        #expect(Array(text.printable.unicodeScalars) == Array(expected.unicodeScalars))
    }

    @Test func paddingFillsUpAndNeverCuts() {
        #expect("ready".padding(to: 8) == "ready   ")
        #expect("awaitingUpload".padding(to: 8) == "awaitingUpload")
        #expect("".padding(to: 0) == "")
        #expect("ü".padding(to: 2) == "ü ")
        #expect("a".padding(to: -1) == "a")
    }
}
