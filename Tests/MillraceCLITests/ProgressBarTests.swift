import Testing

@testable import MillraceCLI

struct ProgressBarTests {
    @Test func aLineTellsHowFarItIsHowFastAndHowLongStill() {
        #expect(
            ProgressBar.line("film.mp4", 5_000_000, 20_000_000, seconds: 2)
                == "film.mp4 ██████░░░░░░░░░░░░░░░░░░ 25 %  5.0 MB of 20.0 MB, 2.5 MB/s, 6 s left ")
    }

    @Test func beforeTheFirstByteThereIsNoRate() {
        #expect(
            ProgressBar.line("a", 0, 100, seconds: 0)
                == "a ░░░░░░░░░░░░░░░░░░░░░░░░ 0 %  0 B of 100 B, 0 B/s, 0 s left ")
    }

    @Test func anEmptyFileIsDoneAtOnce() {
        #expect(
            ProgressBar.line("a", 0, 0, seconds: 1)
                == "a ████████████████████████ 100 %  0 B of 0 B, 0 B/s, 0 s left ")
    }

    @Test func aFileThatGrowsWhileItIsCopiedStaysAtTheEnd() {
        #expect(
            ProgressBar.line("a", 300, 100, seconds: 1)
                == "a ████████████████████████ 100 %  300 B of 100 B, 300 B/s, 0 s left ")
    }

    @Test func numbersAtTheEndOfCountingDoNotEndTheProcess() {
        let numbers: [Int64] = [.min, -1, 0, 1, 999, .max - 1, .max]
        let durations = [-1, 0, .leastNonzeroMagnitude, 1e-9, 1, 1e9, .greatestFiniteMagnitude, .infinity, .nan]
        for done in numbers {
            for total in numbers {
                for seconds in durations {
                    let line = ProgressBar.line("a", done, total, seconds: seconds)
                    #expect(line.filter { $0 == "█" || $0 == "░" }.count == 24)
                }
            }
        }
    }

    @Test func aLongLabelIsCut() {
        let line = ProgressBar.line(String(repeating: "ü", count: 500), 1, 2, seconds: 1)
        #expect(line.hasPrefix(String(repeating: "ü", count: 32) + " █"))
    }

    @Test func aLabelCannotSteerTheTerminal() {
        let line = ProgressBar.line("\u{1B}[2Ja\u{9B}2J\n", 1, 2, seconds: 1)
        #expect(line.hasPrefix("\u{FFFD}[2Ja\u{FFFD}2J\u{FFFD} █"))
    }

    @Test(arguments: [
        (0, "0 B"), (1, "1 B"), (999, "999 B"), (1_000, "1.0 kB"), (1_999, "1.9 kB"), (99_999, "99.9 kB"),
        (100_000, "100 kB"), (999_999, "999 kB"), (1_000_000, "1.0 MB"), (2_147_483_648, "2.1 GB"),
        (1_500_000_000_000, "1.5 TB"), (Int64.max, "9223372 TB"),
    ])
    func sizesAreGivenInThreeDigits(_ bytes: Int64, _ text: String) {
        #expect(ProgressBar.size(bytes) == text)
    }

    @Test func whereNobodyLooksNothingIsDrawn() {
        var bar = ProgressBar("a", total: 10, isShown: false)
        bar.update(5)
        bar.finish()
    }
}
